/** How the tidy rules read a file: code apart from comments and strings, and what it imports. */

const blanked = new RegExp(
  [
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*/, // comments
    /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/, // strings
    /`(?:\\.|\$\{[^}]*\}|[^`\\])*`/, // templates
    /(?<=[(,=:[!&|?{};]\s*|return\s)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+\/[a-z]*/,
  ]
    .map((form) => form.source)
    .join('|'),
  'g',
)

/** Blanks comments, the insides of strings and templates, and regular expressions; keeps lines. */
export function codeOf(text: string): string {
  return text.replace(blanked, (match) => {
    if (!match.startsWith('`')) return match.replace(/[^\n]/g, ' ')
    const expressions = match.match(/\$\{[^}]*\}/g) ?? []
    return expressions.join(' ') + match.replace(/[^\n]/g, '')
  })
}

/** What a TypeScript file imports, in any of the ways there are. */
export function importsOf(text: string): string[] {
  const plain = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/[^\n]*/gm, '')
  const forms = [
    /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /\b(?:import|require)\(\s*['"]([^'"]+)['"]\s*\)/g,
  ]
  return forms.flatMap((form) => [...plain.matchAll(form)].map((match) => match[1] ?? ''))
}

/** The rows of *Claims and tests*, with the tests and commands that each says shows it. */
export function claimsOf(page: string): { claim: string; shownBy: string[] }[] {
  const [, table = ''] = page.split(/^## Claims and tests$/m)
  const rows = (table.split(/^## /m)[0] ?? '').matchAll(/^\| (?!claim|-|\*)(.*) \| (.*) \|$/gm)
  return [...rows].map(([, claim = '', tests = '']) => {
    const named = [...tests.matchAll(/`((?:npm run |[a-z0-9]+\/)[^`]+)`/g)]
    return { claim, shownBy: named.map(([, name = '']) => name) }
  })
}
