/**
 * Paths of FTP and names of a node: `/a/b` is the name `a/b`, and names with slashes look as if
 * they were in directories. Pure; a character is a byte (latin1), as in command-line.ts.
 */
import { nameFault } from '../../base/names.js'

/** The name that a path means from a directory, both without slashes at their ends; null: none. */
export function nameAt(directory: string, path: string): string | null {
  const above = path.startsWith('/') ? '' : directory
  const parts = [...above.split('/'), ...path.split('/')].filter((one) => one !== '' && one !== '.')
  const name = parts.join('/')
  return name === '' || nameFault(Buffer.from(name, 'latin1')) === null ? name : null
}

/** Of a directory; the root is above itself. */
export function above(directory: string): string {
  return directory.slice(0, Math.max(0, directory.lastIndexOf('/')))
}

/** As an answer has it (RFC 959, appendix II). */
export function quoted(name: string): string {
  return `"/${name.replaceAll('"', '""')}"`
}

/** Its text in the bytes of a line. */
export function lineText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they would end or change the line.
  return Buffer.from(text.replace(/[\0-\x1f\x7f]+/g, ' '), 'utf8').toString('latin1')
}
