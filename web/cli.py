"""The `vuoro` command."""

from __future__ import annotations

import gc
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

main = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A support inbox: chat, mail and missed calls in one queue.",
)

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="Where the configuration is.")]
DEFAULT_CONFIG = Path("config.toml")


@main.command()
def serve(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run the desk until Ctrl-C."""
    gc.disable()  # loading makes much that stays and nothing to collect; serving collects again
    from web.serving import run

    loaded = _config_or_exit(config)
    from web.app import build

    run(lambda: build(loaded), loaded)


@main.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where the demonstration keeps its data.")] = Path("var/demo"),
    port: Annotated[int, typer.Option(help="Port of the desk; the shop uses the next one.")] = 8800,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what an earlier demonstration has kept.")] = False,
) -> None:
    """Run a demonstration desk with everything on this machine."""
    gc.disable()
    from web.demo import run_demo

    run_demo(folder, port, fresh=fresh)


@main.command("check-config")
def check_config(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Name every wrong key, value, unit and missing secret of a configuration."""
    from rich.console import Console

    _config_or_exit(config)
    Console().print(f"[green]{config} is fine.[/green]")


@main.command()
def init(
    config: ConfigOption = DEFAULT_CONFIG,
    email: Annotated[str, typer.Option(help="Mail address of the first administrator.")] = "",
    name: Annotated[str, typer.Option(help="Name of the first administrator.")] = "",
    password_file: Annotated[
        Path | None, typer.Option(help="File that holds the password; asked for otherwise.")
    ] = None,
) -> None:
    """Write a configuration, make the database and the first administrator."""
    from web.setting_up import set_up

    set_up(config, email=email, name=name, password_file=password_file)


@main.command("import-mail")
def import_mail(
    config: ConfigOption = DEFAULT_CONFIG,
    mailbox: Annotated[str, typer.Option(help="Name of the mailbox; not needed where there is one.")] = "",
    folder: Annotated[str, typer.Option(help="Folder in it; empty: the one that is watched.")] = "",
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only mail written since this day.")
    ] = None,
    leave_open: Annotated[bool, typer.Option("--open", help="Leave its conversations open.")] = False,
) -> None:
    """Take old mail in: filed by date, silently, nothing waits because of it."""
    loaded = _config_or_exit(config)
    from web import mail_commands

    mail_commands.import_mail(
        loaded, mailbox=mailbox, folder=folder, since=since.date() if since else None, leave_open=leave_open
    )


@main.command("compare-mail")
def compare_mail(
    config: ConfigOption = DEFAULT_CONFIG,
    mailbox: Annotated[str, typer.Option(help="Name of the mailbox; empty: all of them.")] = "",
    fetch: Annotated[bool, typer.Option("--fetch", help="Take what is missing.")] = False,
) -> None:
    """Account for every mail of the watched mailboxes; exit code 1 when one is missing."""
    loaded = _config_or_exit(config)
    from web import mail_commands

    mail_commands.compare_mail(loaded, mailbox=mailbox, fetch=fetch)


@main.command("import-events")
def import_events(
    log: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="An event log, see docs/event-log.md.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Take the history of another desk into this one, which must be empty: all of it, or nothing."""
    gc.disable()  # a history makes much that stays until it is written
    from web.event_logs import run_import

    run_import(_config_or_exit(config), log)


@main.command("rebuild-reports")
def rebuild_reports(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Make all that reports keep ready anew from the ledger. The desk may run meanwhile."""
    from web.reports.commands import rebuild

    rebuild(_config_or_exit(config))


@main.command("check-reports")
def check_reports(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Compare what reports keep ready with the ledger, day by day. Ends with 1 where they differ."""
    from web.reports.commands import check

    if not check(_config_or_exit(config)):
        raise typer.Exit(1)


@main.command("export-events")
def export_events(
    log: Annotated[Path, typer.Argument(help="A file that does not exist yet.")], config: ConfigOption = DEFAULT_CONFIG
) -> None:
    """Write the history of this desk as an event log: what happened and when, nobody's words or addresses."""
    from web.event_logs import run_export

    run_export(_config_or_exit(config), log)


def _config_or_exit(path: Path):  # type: ignore[no-untyped-def]
    from rich.console import Console
    from rich.markup import escape

    from web.app import load_config
    from web.config import ConfigError

    try:
        return load_config(path)
    except ConfigError as error:
        console = Console(stderr=True)
        console.print(f"[bold]{escape(str(path))} cannot be used:[/bold]")
        for problem in error.problems:
            console.print(f"  • {escape(problem)}", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None


if __name__ == "__main__":
    main()
