/** A command, as completions know it. */
export interface Completed {
  name: string
  about: string
  options: readonly string[]
}

export const SHELLS = ['bash', 'zsh', 'fish'] as const

/** The script that completes commands and options in a shell; null: that shell is not known. */
export function completionFor(shell: string, commands: readonly Completed[]): string | null {
  if (shell === 'bash') return bash(commands)
  if (shell === 'zsh') return zsh(commands)
  return shell === 'fish' ? fish(commands) : null
}

function bash(commands: readonly Completed[]): string {
  const cases = commands.map(({ name, options }) => `    ${name}) words="${options.join(' ')}" ;;`)
  return `# pilotlight completion bash >> ~/.bashrc
_pilotlight() {
  local words="${commands.map(({ name }) => name).join(' ')}"
  if [ "$COMP_CWORD" -gt 1 ]; then
    words=""
    case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [ \${#COMPREPLY[@]} -eq 0 ] && COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _pilotlight pilotlight
`
}

function zsh(commands: readonly Completed[]): string {
  const list = commands.map(({ name, about }) => `    '${name}:${about.replaceAll("'", '’').replaceAll(':', ' –')}'`)
  const cases = commands.map(({ name, options }) => `    ${name}) compadd -- ${options.join(' ')} ;;`)
  return `#compdef pilotlight
# pilotlight completion zsh > "\${fpath[1]}/_pilotlight"
_pilotlight() {
  local -a commands=(
${list.join('\n')}
  )
  if (( CURRENT == 2 )); then _describe command commands; return; fi
  case "\${words[2]}" in
${cases.join('\n')}
  esac
  _files
}
compdef _pilotlight pilotlight
`
}

function fish(commands: readonly Completed[]): string {
  const lines = commands.flatMap(({ name, about, options }) => [
    `complete -c pilotlight -n __fish_use_subcommand -a ${name} -d '${about.replaceAll("'", '’')}'`,
    ...options.map(
      (option) => `complete -c pilotlight -n '__fish_seen_subcommand_from ${name}' -l ${option.replace(/^--/, '')}`,
    ),
  ])
  return `# pilotlight completion fish > ~/.config/fish/completions/pilotlight.fish\n${lines.join('\n')}\n`
}
