"""Help and usage errors: flags without a type, and sentences for people."""

from __future__ import annotations

import re
from typing import Any

import typer
from typer.core import HAS_RICH, TyperCommand, TyperGroup

_NOISE = re.compile(r"^Value error, ")
_RANGE = "Input should be"


class VsearchCommand(TyperCommand):
    """A command whose help shows flags and arguments without the name of a Python type."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, for parsing and for the help."""
        return _without_types(super().get_params(ctx))


class VsearchGroup(TyperGroup):
    """The same for a group of commands. Ctrl-C at any time aborts."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, for parsing and for the help."""
        return _without_types(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help; plain if typer's is."""
        if not HAS_RICH or self.rich_markup_mode is None:
            super().format_help(ctx, formatter)
            return
        from bot.cli.terminal.help import print_group_help  # noqa: PLC0415 - only the help draws panels

        print_group_help(self, ctx)

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Raises typer.Abort after Ctrl-C, which typer would end without a word."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Abort from None


def use_plain_help(app: typer.Typer) -> typer.Typer:
    """Give all commands of ``app`` help without types."""
    for command in app.registered_commands:
        command.cls = VsearchCommand
    return app


class _Values:
    """Checks the values of a parameter, which typer does with pydantic: 80 ms of CPU time to load it.

    Most values need no check: options that aren't given, and texts.
    """

    @staticmethod
    def coerce(value: Any, *, param: Any, ctx: Any) -> Any:
        """Return the value as the command takes it. Raises typer.BadParameter."""
        kind = param.type_descriptor
        is_text = isinstance(value, str) and kind.annotation is str and kind.parameter_info.parser is None
        if param.nargs == 1 and not param.multiple and (value is None or is_text):
            return value
        return type(param).get_runtime_param(param).coerce(value, param=param, ctx=ctx)


def _without_types(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        # Versions of typer without this method don't use pydantic.
        if hasattr(parameter, "get_runtime_param"):
            vars(parameter)["get_runtime_param"] = _Values
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
        elif parameter.param_type_name == "argument":
            # Typer shows the type of an argument even beside a metavar.
            vars(parameter)["display_type_rich"] = _no_type
    return parameters


def _no_type(ctx: Any) -> None:
    """Return no type for the help."""


def usage_sentence(error: Any) -> str:
    """Return what is wrong with a command line, without a full stop."""
    parameter, text = getattr(error, "param", None), _NOISE.sub("", str(getattr(error, "message", "")))
    if parameter is None or not text:
        return str(error.format_message()).rstrip(".") or "A command is missing"
    name = parameter.opts[0] if parameter.param_type_name == "option" else parameter.display_name_raw
    if text.startswith(_RANGE):
        return f"{name} must be {_number(parameter)}"
    return f"{name}: {text.rstrip('.')}"


def _number(parameter: Any) -> str:
    """Return which number an option takes, such as ``a whole number from 1 to 1000``."""
    least, most = parameter.min, parameter.max
    kind = "a number" if float in {type(least), type(most)} else "a whole number"
    if least is None and most is None:
        return kind
    if most is None:
        return f"{kind} of {least:g} or more"
    return f"{kind} from {least or 0:g} to {most:g}"
