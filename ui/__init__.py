"""People and programs in front of the answers: the command line and the web chat."""

__all__: list[str] = []
