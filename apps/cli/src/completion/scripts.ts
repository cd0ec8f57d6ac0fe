export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/**
 * Scripts that ask `starling __complete SHELL -- WORD…`. It answers with a line `value TAB summary`
 * for each candidate, and at the end `:files`, `:directories` or `:none`.
 */
const BASH = `# starling's completion for bash. In ~/.bashrc: source <(starling completion bash)
_starling() {
  local line directive=:none current=\${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :*) directive=$line ;;
      *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
    esac
  done < <("\${COMP_WORDS[0]}" __complete bash -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  local flag
  case $directive in
    :files) flag=-f ;;
    :directories) flag=-d ;;
    *) return ;;
  esac
  [[ $current == '=' ]] && current=
  compopt -o filenames 2>/dev/null
  while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen "$flag" -- "$current")
}
complete -F _starling starling
`;

const ZSH = `#compdef starling
# starling's completion for zsh. In ~/.zshrc, after compinit: source <(starling completion zsh)
_starling() {
  local line value summary directive=:none
  local -a candidates
  while IFS= read -r line; do
    case $line in
      :*) directive=$line ;;
      *)
        value=\${line%%$'\\t'*} summary=\${line#*$'\\t'}
        candidates+=("\${value//:/\\\\:}\${summary:+:$summary}")
        ;;
    esac
  done < <("\${words[1]}" __complete zsh -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( \${#candidates} )) && _describe -t starling starling candidates
  case $directive in
    :files) _files ;;
    :directories) _files -/ ;;
  esac
}
if [[ \${funcstack[1]} == _starling ]]; then _starling "$@"; else compdef _starling starling; fi
`;

const FISH = `# starling's completion for fish. Write it to ~/.config/fish/completions/starling.fish
function __starling_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in ($words[1] __complete fish -- $words[2..] "$current" 2>/dev/null)
        switch $line
            case ':files'
                __fish_complete_path "$current"
            case ':directories'
                __fish_complete_directories "$current"
            case ':*'
            case '*'
                echo $line
        end
    end
end
complete -c starling -f -a '(__starling_complete)'
`;

export const SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
