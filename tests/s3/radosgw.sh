#!/bin/bash
# A real S3 server for tests: Ceph's RADOS Gateway with a monitor and an in-memory store, nothing installed.
#   radosgw.sh fetch                      download the Debian packages into build/radosgw (70 MB)
#   radosgw.sh start STATE PORT KEY SECRET    serve http://127.0.0.1:PORT; logs, configuration and pids lie in STATE
#   radosgw.sh serve STATE PORT           the same with a bucket and keys of its own; prints the variables
#   radosgw.sh stop STATE                 end it; what was stored is gone
set -eu
ROOT="$(cd "$(dirname "$0")/../.." && pwd)/build/radosgw"
PACKAGES="radosgw ceph-mon ceph-osd ceph-common"

fetch() {
	[ ! -x "$ROOT/usr/bin/radosgw" ] || return 0
	[ -n "$(apt-cache policy radosgw | grep Candidate)" ] || apt-get update --quiet --quiet
	rm -rf "$ROOT.new" && mkdir -p "$ROOT.new/packages"
	cd "$ROOT.new/packages"
	names=$(apt-get --simulate install --no-install-recommends $PACKAGES | awk '/^Inst/ { print $2 }')
	apt-get --quiet download $names radosgw >/dev/null
	for package in *.deb; do dpkg-deb --extract "$package" ..; done
	rm -rf "$ROOT.new/packages" && mv "$ROOT.new" "$ROOT"
}

configuration() {
	local libraries=("$ROOT"/usr/lib/*-linux-gnu)
	cat <<-END
		[global]
		fsid = 4b687c5c-5a20-4a56-9774-487989fd0bc7
		mon host = v2:127.0.0.1:$(($2 + 1))/0
		public addr = 127.0.0.1
		cluster addr = 127.0.0.1
		ms bind msgr1 = false
		ms mon client mode = crc
		auth cluster required = none
		auth service required = none
		auth client required = none
		keyring = $1/keyring
		log file = $1/\$name.log
		mon cluster log file = $1/cluster.log
		pid file = $1/\$name.pid
		run dir = $1
		admin socket =
		mon data = $1/mon
		mon allow pool size one = true
		mon max pg per osd = 1000
		mon data avail crit = 1
		osd data = $1/osd
		osd objectstore = memstore
		memstore device bytes = 2147483648
		osd class dir = ${libraries[0]}/rados-classes
		osd erasure code plugins =
		osd crush chooseleaf type = 0
		osd pool default size = 1
		osd pool default min size = 1
		osd pool default pg num = 1
		osd pool default pg autoscale mode = off
		rgw data = $1
		rgw frontends = beast endpoint=127.0.0.1:$2 tcp_nodelay=1
		rgw run sync thread = false
	END
}

start() {
	mkdir -p "$1" && cd "$1"
	local state=$PWD monitor=127.0.0.1:$(($2 + 1))
	export LD_LIBRARY_PATH=$(echo "$ROOT"/lib/*-linux-gnu "$ROOT"/usr/lib/*-linux-gnu "$ROOT"/usr/lib/*-linux-gnu/ceph | tr ' ' :)
	export PATH=$ROOT/usr/bin:$PATH PYTHONPATH=$ROOT/usr/lib/python3/dist-packages CEPH_CONF=$state/ceph.conf
	mkdir -p mon osd && touch keyring
	configuration "$state" "$2" >ceph.conf
	monmaptool --create --addv a "[v2:$monitor]" --fsid 4b687c5c-5a20-4a56-9774-487989fd0bc7 monmap
	ceph-mon --mkfs --id a --monmap monmap
	ceph-mon --id a
	local identity
	identity=$(cat /proc/sys/kernel/random/uuid)
	timeout 30 ceph osd new "$identity"
	ceph-osd --id 0 --mkfs --osd-uuid "$identity"
	ceph-osd --id 0
	radosgw --name client.rgw --keyring keyring
	timeout 60 radosgw-admin user create --uid=tests --display-name=tests --access-key="$3" --secret-key="$4"
}

serve() {
	local endpoint=http://127.0.0.1:$2 key=tests secret=secret-of-tests
	rm -rf "$1" && mkdir -p "$1"
	(start "$1" "$2" "$key" "$secret") >"$1.log" 2>&1 || { tail "$1.log" >&2; exit 1; }
	rclone mkdir :s3:phonanchor --config /dev/null --s3-provider Other --s3-force-path-style \
		--s3-endpoint "$endpoint" --s3-region us-east-1 --s3-access-key-id "$key" --s3-secret-access-key "$secret"
	echo "export AWS_ENDPOINT_URL=$endpoint AWS_REGION=us-east-1"
	echo "export AWS_ACCESS_KEY_ID=$key AWS_SECRET_ACCESS_KEY=$secret"
}

stop() {
	for file in "$1"/client.rgw.pid "$1"/osd.0.pid "$1"/mon.a.pid; do
		[ ! -f "$file" ] || kill "$(cat "$file")" 2>/dev/null || true
	done
}

"$@"
