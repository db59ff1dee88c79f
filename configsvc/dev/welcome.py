"""What a person and their shell are told when everything runs."""

import shlex
from pathlib import Path

from configsvc import __version__

_READY = """\
configsvc {version}   ready in {seconds:.1f} s   {url}   data {data}/   Ctrl-C stops everything
In a second terminal:
  {source:<52}  # CONFIGSVC_URL and the sample tokens
  configctl set payments rate_limit 100 --type int --env development
  python examples/watch.py payments rate_limit          # leave it running
In a third:  {source}; configctl set payments rate_limit 200 --env development   # the example prints 200
In a browser:  {pages}
  (signs in as the sample admin, once; more: configsvc account link admin)
"""


def ready_text(data_dir: Path, url: str, seconds: float, link: str) -> str:
    """What to do next, to be pasted; ``link``: the path that signs somebody in."""
    version = ".".join(__version__.split(".")[:2])
    env = str(data_dir / "env")
    # Without a slash the shell would look for it in PATH.
    source = f". {shlex.quote(env if '/' in env else f'./{env}')}"
    return _READY.format(version=version, seconds=seconds, url=url, data=data_dir, source=source, pages=f"{url}{link}")


def env_file(url: str, tokens: dict[str, str], bin_dir: Path, operator: dict[str, str]) -> str:
    """Shell text that makes `configctl`, `python` and the client find this stack, as the sample admin.

    ``operator``: further variables, which `configsvc` takes.
    """
    variables = {
        "CONFIGSVC_URL": url,
        "CONFIGSVC_TOKEN": tokens["admin"],
        **{f"CONFIGSVC_TOKEN_{role.upper()}": token for role, token in tokens.items()},
        **operator,
    }
    exports = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    path = shlex.quote(str(bin_dir))
    return "\n".join([*exports, f'case ":$PATH:" in *:{path}:*) ;; *) export PATH={path}:"$PATH" ;; esac', ""])
