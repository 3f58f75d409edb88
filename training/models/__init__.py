"""One module for each model, whole and readable in one sitting."""
