/**
 * The emitted declarations, seen by a program that uses the package: they compile, and no type that
 * a caller can reach has an internal name.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const index = join(root, 'dist/api/index.d.ts')

interface Declarations {
  /** Text of each declaration by its name. */
  readonly own: Map<string, string>
  /** File and name there, by local name. */
  readonly imported: Map<string, { file: string; name: string }>
  /** Exported names, or `*`, with the file that they come from; null for this file. */
  readonly exported: { name: string; as: string; file: string | null }[]
}

const kinds = 'class|const|function|interface|type'
const modifiers = String.raw`(export\s+)?(?:declare\s+)?(?:abstract\s+)?`
const declaration = new RegExp(String.raw`^${modifiers}(?:${kinds})\s+(\w+)`)

/** Declarations in one file, without comments. */
function read(file: string): Declarations {
  const text = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
  const found: Declarations = { own: new Map(), imported: new Map(), exported: [] }
  const at = (from: string): string => join(dirname(file), from.replace(/\.js$/, '.d.ts'))
  for (const statement of text.split(/^(?=import\b|export\b|declare\b|interface\b|type\b)/m)) {
    const lists = /^(import|export)\s+(?:type\s+)?\{([^}]*)\}(?:\s*from\s*'([^']+)')?/.exec(
      statement,
    )
    const all = /^export\s+(?:type\s+)?\*\s+from\s*'([^']+)'/.exec(statement)
    const own = declaration.exec(statement)
    if (lists !== null) {
      const [, verb, names = '', from] = lists
      for (const part of names.split(',').map((each) => each.trim())) {
        const [, name = '', as = name] = /^(?:type\s+)?(\w+)(?:\s+as\s+(\w+))?$/.exec(part) ?? []
        if (name === '') continue
        if (verb === 'export')
          found.exported.push({ name, as, file: from === undefined ? null : at(from) })
        else if (from?.startsWith('.')) found.imported.set(as, { file: at(from), name })
      }
    } else if (all !== null) {
      found.exported.push({ name: '*', as: '*', file: at(all[1] as string) })
    } else if (own !== null) {
      const name = own[2] as string
      found.own.set(name, (found.own.get(name) ?? '') + statement)
      if (own[1] !== undefined) found.exported.push({ name, as: name, file: null })
    }
  }
  return found
}

/** Names of all declarations that `file` exports, and of those that they mention, recursively. */
function reachable(file: string): Set<string> {
  const files = new Map<string, Declarations>()
  const seen = new Set<string>()
  const names = new Set<string>()
  const load = (path: string): Declarations => {
    const loaded = files.get(path) ?? read(path)
    files.set(path, loaded)
    return loaded
  }
  const meet = (path: string, name: string): void => {
    if (seen.has(`${path} ${name}`)) return
    seen.add(`${path} ${name}`)
    const { own, imported, exported } = load(path)
    const text = own.get(name)
    const other = imported.get(name)
    if (text !== undefined) {
      names.add(name)
      for (const [word] of text.matchAll(/\b[A-Za-z_]\w*\b/g))
        if (own.has(word) || imported.has(word)) meet(path, word)
    } else if (other !== undefined) {
      names.add(name)
      meet(other.file, other.name)
    } else {
      for (const { name: inner, as, file: from } of exported)
        if (from !== null && (as === name || as === '*')) meet(from, as === '*' ? name : inner)
    }
  }
  const start = (path: string): void => {
    for (const { name, as, file: from } of load(path).exported) {
      if (name === '*') start(from as string)
      else {
        names.add(as)
        meet(from ?? path, name)
      }
    }
  }
  start(file)
  return names
}

const inside = (names: Iterable<string>): string[] =>
  [...names].filter((name) => /View$/.test(name)).sort()

describe('the declarations of the package', () => {
  let dir: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'fr-declarations-'))
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  /** Compiler output for a program that imports the package by its name. */
  function compiled(program: string): string {
    mkdirSync(join(dir, 'node_modules'))
    symlinkSync(root, join(dir, 'node_modules/fastreplica'), 'dir')
    symlinkSync(join(root, 'node_modules/@types'), join(dir, 'node_modules/@types'), 'dir')
    writeFileSync(join(dir, 'package.json'), JSON.stringify({ type: 'module' }))
    writeFileSync(join(dir, 'program.ts'), program)
    const options = ['--strict', '--noEmit', '--target', 'es2023', '--module', 'nodenext']
    const libraries = ['--lib', 'es2023,esnext.disposable', '--types', 'node']
    const tsc = join(root, 'node_modules/.bin/tsc')
    return spawnSync(tsc, [...options, ...libraries, 'program.ts'], { cwd: dir, encoding: 'utf8' })
      .stdout
  }

  it('compile, with the events of a node and a push awaited', () => {
    const program = `
      import { once } from 'node:events'
      import { type NodeOffer, push, startNode } from 'fastreplica'
      const accept = ({ name, bytes }: NodeOffer): boolean => name !== 'x' && bytes < 5
      await using node = await startNode({ listen: '127.0.0.1:0', dataDir: 'x', accept })
      node.on('published', ({ digest, seconds }) => [digest.length, seconds.toFixed()])
      await once(node, 'published')
      await using transfer = push('file', { to: [node.address] })
      await once(transfer, 'result')
    `
    expect(compiled(program)).toBe('')
  })

  it('refuse an event that a node does not have, and a hook that does not answer', () => {
    const program = `
      import { startNode } from 'fastreplica'
      const node = await startNode({ listen: '127.0.0.1:0', dataDir: 'x', accept: () => {} })
      node.on('gone', () => {})
    `
    const errors = compiled(program).match(/program\.ts\(\d+/g)
    expect(errors).toEqual(['program.ts(3', 'program.ts(4'])
  })

  it('show no name of the inside', () => {
    const names = reachable(index)
    // Exported by name, by a star, and only mentioned.
    for (const name of ['push', 'FrErrorCode', 'NodeEvents', 'NodePublication', 'RelayStatus'])
      expect(names).toContain(name)
    expect(inside(names)).toEqual([])
  })

  it('would show such a name, however it comes in', () => {
    const write = (name: string, text: string) => writeFileSync(join(dir, `${name}.d.ts`), text)
    write('index', "export { a, type AView } from './a.js';\nexport type * from './types.js';\n")
    write('a', 'export type AView = 1;\nexport declare function a(): number;\n')
    write('types', "import type { Inner } from './inner.js';\nexport type { Inner };\n")
    write(
      'inner',
      `import type { FarView as Far } from './far.js';
interface NearView { readonly far: Far }
export interface Inner { readonly near: NearView }
export interface UnseenView { readonly x: 1 }
`,
    )
    write('far', 'export interface FarView { readonly bytes: Uint8Array }\n')
    expect(inside(reachable(join(dir, 'index.d.ts')))).toEqual(['AView', 'FarView', 'NearView'])
  })
})
