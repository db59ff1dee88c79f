"""``completion``: what a shell needs to complete commands, options and names."""

import click
from click.shell_completion import get_completion_class

from configclient.cli._options import examples


@click.command(
    "completion",
    epilog=examples(
        'eval "$(configctl completion bash)"                              # in ~/.bashrc',
        'eval "$(configctl completion zsh)"                               # in ~/.zshrc',
        "configctl completion fish > ~/.config/fish/completions/configctl.fish",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion_command(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    Names of environments, namespaces and keys come from the service, where it answers at once.
    """
    completion = get_completion_class(shell)
    assert completion is not None
    click.echo(completion(context.find_root().command, {}, "configctl", "_CONFIGCTL_COMPLETE").source())
