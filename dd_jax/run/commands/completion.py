"""Prints a script that has the shell complete commands and flags.

  dd-jax completion bash > ~/.local/share/bash-completion/completions/dd-jax
  dd-jax completion zsh > ~/.dd-jax.zsh

A zsh reads the second by `source ~/.dd-jax.zsh` in its ~/.zshrc.
"""

from dd_jax.checks import check_name
from dd_jax.run import command_line, overview
from dd_jax.run.commands import COMMANDS, load

FLAGS = command_line.new_flags()
_ZSH = 'autoload -U +X compinit bashcompinit && compinit && bashcompinit\n'
_SCRIPT = """{start}_dd_jax() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} words='{commands}'
  if [ "$COMP_CWORD" -gt 1 ]; then
    case ${{COMP_WORDS[1]}} in
{cases}
      *) words= ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -o nospace -F _dd_jax dd-jax"""


def completion(shell: str = '') -> None:
  """Prints the script for `bash` or `zsh`."""
  check_name('SHELL', shell, ('bash', 'zsh'))
  cases = [f"      {name}) words='{_words(name)}' ;;" for name in COMMANDS]
  print(
    _SCRIPT.format(
      start=_ZSH if shell == 'zsh' else '',
      commands=' '.join(COMMANDS),
      cases='\n'.join(cases),
    )
  )


def _words(name: str) -> str:
  """What may follow a command: its flags; of `list`, the kinds too."""
  flags = command_line.listed(load(name).flags)
  words = [f'--{f.name}' + '=' * (not f.boolean) for f in flags]
  kinds = list(overview.kinds()) if name == 'list' else []
  return ' '.join([*kinds, *words, '--help'])


COMMAND = command_line.Command(
  'completion', __doc__, FLAGS, completion, ('SHELL',), takes_fields=False
)
