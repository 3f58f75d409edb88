"""The help texts, as a terminal of 80 columns shows them."""

import click
import pytest

from flows.__main__ import commands


def contexts(command, parent=None):
    context = click.Context(command, info_name=command.name, parent=parent, terminal_width=80)
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from contexts(command.get_command(context, name), context)


@pytest.mark.parametrize("context", contexts(commands), ids=lambda context: context.command_path)
def test_no_help_is_cut_off_or_missing(context):
    text = context.get_help()
    assert "..." not in text.replace("[ARGS]...", "")
    for parameter in context.command.params:
        hidden = getattr(parameter, "hidden", False)
        assert hidden or isinstance(parameter, click.Argument) or parameter.help, parameter.name
