/**
 * The habits of this repository as rules over file texts. A rule names the files it looks at and
 * returns one line per violation; the line says what to write instead. Every rule carries a sample
 * that it must catch and one that it must let pass, so that a rule that went blind is noticed.
 *
 * Texts are searched, not parsed: `codeOf` blanks comments, strings and regular expressions first,
 * where they would be mistaken for code.
 */

export interface Rule {
  readonly name: string
  applies(path: string): boolean
  /** One line per violation. */
  check(text: string, path: string): string[]
  readonly bad: readonly Sample[]
  readonly good: readonly Sample[]
}

export interface Sample {
  readonly path: string
  readonly text: string
}

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

interface Room {
  /** Rooms, or files of src, that may be imported beside the room itself. */
  readonly rooms: readonly string[]
  readonly packages: readonly string[]
  /** `all`, or the list of node modules. */
  readonly node: 'all' | readonly string[]
  readonly nodeNever?: readonly string[]
}

/** The table of docs/architecture.md. */
const rooms: Record<string, Room> = {
  cli: { rooms: ['api', 'errors', 'limits'], packages: ['commander', 'string-width'], node: 'all' },
  api: {
    rooms: ['runtime', 'engine', 'control', 'errors', 'limits', 'ports'],
    packages: [],
    node: 'all',
    nodeNever: ['node:net'],
  },
  runtime: {
    rooms: ['control', 'protocol', 'ports', 'errors', 'limits'],
    packages: ['piscina'],
    node: 'all',
  },
  control: { rooms: ['errors', 'limits'], packages: [], node: [] },
  protocol: { rooms: ['control/types', 'errors', 'limits'], packages: [], node: [] },
  engine: {
    rooms: ['ports', 'errors', 'limits'],
    packages: ['node-gyp-build', 'xxhash-wasm', 'piscina'],
    node: 'all',
  },
  sim: { rooms: ['control', 'errors', 'limits'], packages: [], node: [] },
  ports: { rooms: ['errors', 'limits'], packages: [], node: ['node:net'] },
  errors: { rooms: ['ports', 'limits'], packages: [], node: [] },
  limits: { rooms: ['ports', 'errors'], packages: [], node: [] },
}

function roomOf(path: string): string {
  return (
    path
      .replace(/^src\//, '')
      .replace(/\.ts$/, '')
      .split('/')[0] ?? ''
  )
}

function resolveImport(path: string, target: string): string {
  const parts = path.split('/').slice(0, -1)
  for (const step of target.split('/')) {
    if (step === '..') parts.pop()
    else if (step !== '.') parts.push(step)
  }
  return parts.join('/').replace(/\.js$/, '.ts')
}

function refusedImport(path: string, target: string): string | null {
  const from = roomOf(path)
  const room = rooms[from]
  if (room === undefined) return `src/${from} is not a room: add it to docs/architecture.md first`
  if (target.startsWith('node:')) {
    const known = room.node === 'all' || room.node.includes(target)
    if (known && !room.nodeNever?.includes(target)) return null
    return `${from} may not import ${target}: have it handed in by src/runtime`
  }
  if (!target.startsWith('.')) {
    if (room.packages.includes(target)) return null
    return `${from} may not import the package ${target}: it may use ${list(room.packages)}`
  }
  const file = resolveImport(path, target)
  if (file === 'package.json') return null
  if (!file.startsWith('src/')) return `${target} lies outside src: nothing shipped may need it`
  const inner = file.replace(/^src\//, '').replace(/\.ts$/, '')
  const to = roomOf(file)
  if (to === from || room.rooms.includes(to) || room.rooms.includes(inner)) return null
  return `${from} may not import ${inner}: it may use ${list(room.rooms)}`
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ')
}

/** Pattern in code, and what to write instead. */
type Ban = readonly [pattern: RegExp, instead: string]

function bans(name: string, applies: (path: string) => boolean, table: readonly Ban[]) {
  return {
    name,
    applies,
    check(text: string): string[] {
      return codeOf(text)
        .split('\n')
        .flatMap((line, index) =>
          table
            .filter(([pattern]) => pattern.test(line))
            .map(([pattern, instead]) => `line ${index + 1}: ${pattern.source}: ${instead}`),
        )
    },
  }
}

/** Like `bans`, but over the whole text, comments and strings included. */
function textBans(name: string, applies: (path: string) => boolean, table: readonly Ban[]) {
  return {
    name,
    applies,
    check(text: string): string[] {
      return text
        .split('\n')
        .flatMap((line, index) =>
          table
            .filter(([pattern]) => pattern.test(line))
            .map(([, instead]) => `line ${index + 1}: ${instead}`),
        )
    },
  }
}

const isSource = (path: string) => /^src\/.*\.ts$/.test(path)
const isPure = (path: string) => /^src\/(?:control|protocol|sim)\//.test(path)
const isTest = (path: string) => /^(?:test|native\/test)\//.test(path)
const isWritten = (path: string) =>
  /\.(?:ts|mjs|cc|h)$/.test(path) && /^(?:src|native|test|scripts|bench|examples)\//.test(path)
/** Fuzzer inputs are bytes, whatever words they happen to spell. */
const isText = (path: string) =>
  !/\.(?:png|jpg|gif|ico|tgz|bin|node)$|^native\/test\/fuzz\/corpus\//.test(path)

const maxLines = 450
const maxColumns = 100

// Spelt in pieces, so that this file passes its own rules.
const unfinished = new RegExp(
  `\\b(?:${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'].join('|')})\\b`,
)
const machinePath = new RegExp(`(?<![\\w.])/(?:${['work', 'root', 'home', 'Users'].join('|')})/\\w`)
const registryHost = new RegExp(
  `${'https?'}://[^\\s"'/]*(?:registry|artifactory|nexus|verdaccio|:4873)`,
)

export const rules: readonly Rule[] = [
  {
    name: 'a room imports only what docs/architecture.md allows it',
    applies: isSource,
    check: (text, path) =>
      importsOf(text)
        .map((target) => refusedImport(path, target))
        .filter((refusal) => refusal !== null),
    bad: [
      { path: 'src/cli/a.ts', text: "import { x } from '../runtime/loop.js'" },
      { path: 'src/api/a.ts', text: "import type { Socket } from 'node:net'" },
      { path: 'src/runtime/a.ts', text: "export {\n  x,\n} from '../engine/native.js'" },
      { path: 'src/control/a.ts', text: "import 'node:fs'" },
      { path: 'src/protocol/a.ts', text: "import { x } from '../control/plan.js'" },
      { path: 'src/engine/a.ts', text: "const x = await import('../control/plan.js')" },
      { path: 'src/engine/b.ts', text: "const x = require('left-pad')" },
      { path: 'src/sim/a.ts', text: "import { x } from '../../test/helper.js'" },
      { path: 'src/ports.ts', text: "import { x } from './control/types.js'" },
      { path: 'src/attic/a.ts', text: "import { x } from '../errors.js'" },
    ],
    good: [
      { path: 'src/cli/a.ts', text: "import { x } from '../api/index.js'\nimport 'node:fs'" },
      { path: 'src/protocol/a.ts', text: "import type { Frame } from '../control/types.js'" },
      { path: 'src/control/deep/a.ts', text: "import { x } from '../plan.js'" },
      { path: 'src/api/version.ts', text: "require('../../package.json')" },
      { path: 'src/control/b.ts', text: "// import 'node:fs'\nconst text = 'from here'" },
    ],
  },
  {
    ...bans(
      'the deciding rooms know no clock, chance, timer, promise, console or process',
      isPure,
      [
        [/\bDate\b/, 'take nowMs as an argument'],
        [/\bperformance\b/, 'take nowMs as an argument'],
        [/\bMath\.random\b/, 'take a seeded generator as an argument'],
        [/\b(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/, 'return a deadline'],
        [/\bPromise\b|\basync\b|\bawait\b/, 'return commands; the runtime waits'],
        [/\bconsole\b/, 'return a command or an event; the runtime reports'],
        [/(?<![.\w$])process\s*[.[]/, 'have the value handed in'],
        [/\bglobalThis\b/, 'have the value handed in'],
      ],
    ),
    bad: [
      { path: 'src/control/a.ts', text: 'const now = Date.now()' },
      { path: 'src/control/a.ts', text: 'const now = performance.now()' },
      { path: 'src/sim/a.ts', text: 'const dice = Math.random()' },
      { path: 'src/protocol/a.ts', text: 'setTimeout(f, 1)' },
      { path: 'src/control/a.ts', text: 'function f(): Promise<void> {}' },
      { path: 'src/control/a.ts', text: 'console.error(1)' },
      { path: 'src/control/a.ts', text: 'const home = process.env.HOME' },
      { path: 'src/control/a.ts', text: `const text = \`\${Math.random()}\`` },
      { path: 'src/control/a.ts', text: "const g = globalThis['setTimeout']" },
    ],
    good: [
      { path: 'src/control/a.ts', text: '/* no Promise, no Date.now */ const process_ = 1' },
      { path: 'src/control/a.ts', text: "const text = 'await the console'" },
      { path: 'src/runtime/a.ts', text: 'const now = Date.now()' },
    ],
  },
  {
    ...bans(
      'output belongs to the commands',
      (path) => isSource(path) && !path.startsWith('src/cli/'),
      [
        [/\bconsole\s*\./, 'hand a log line to the logger that the api was given'],
        [/\bprocess\.(?:stdout|stderr)\b/, 'hand a log line to the logger that the api was given'],
      ],
    ),
    bad: [{ path: 'src/api/a.ts', text: 'console.log(1)' }],
    good: [
      { path: 'src/api/a.ts', text: '/** Never console.log. */' },
      { path: 'src/cli/a.ts', text: 'console.log(1)' },
    ],
  },
  {
    name: 'process.exit is for the second SIGINT and the uncaught exception alone',
    applies: isSource,
    check(text, path) {
      const found = codeOf(text).match(/\bprocess\.(?:exit|reallyExit|abort)\s*\(/g)?.length ?? 0
      const reasons = [/SIGINT/, /uncaughtException/].filter((reason) => reason.test(text))
      const allowed = path.startsWith('src/cli/') ? reasons.length : 0
      return found > allowed ? ['set process.exitCode and let the loop run empty'] : []
    },
    bad: [
      { path: 'src/api/a.ts', text: 'process.exit(1)' },
      { path: 'src/cli/a.ts', text: 'process.exit(1)' },
      { path: 'src/cli/a.ts', text: "on('SIGINT', () => process.exit(130))\nprocess.exit(1)" },
    ],
    good: [
      { path: 'src/cli/a.ts', text: "on('SIGINT', () => process.exit(130))" },
      { path: 'src/cli/a.ts', text: "on('uncaughtException', () => process.exit(1))" },
      { path: 'src/api/a.ts', text: 'process.exitCode = 1' },
    ],
  },
  {
    name: `a file has at most ${maxLines} lines`,
    applies: isWritten,
    check(text) {
      const lines = text.split('\n').length - 1
      return lines > maxLines ? [`${lines} lines: split it along its ideas`] : []
    },
    bad: [{ path: 'src/api/a.ts', text: '\n'.repeat(maxLines + 1) }],
    good: [{ path: 'src/api/a.ts', text: '\n'.repeat(maxLines) }],
  },
  {
    name: `a line has at most ${maxColumns} columns`,
    applies: isWritten,
    check: (text) =>
      text
        .split('\n')
        .flatMap((line, index) =>
          [...line].length > maxColumns ? [`line ${index + 1}: break it`] : [],
        ),
    bad: [{ path: 'src/api/a.ts', text: 'x'.repeat(maxColumns + 1) }],
    good: [{ path: 'src/api/a.ts', text: 'é'.repeat(maxColumns) }],
  },
  {
    name: 'a file begins by saying what it is',
    applies: (path) => isWritten(path) && !isTest(path),
    check(text, path) {
      const first = text.replace(/^#![^\n]*\n/, '')
      // A .cc that begins with its own header is introduced there.
      const header = path.replace(/.*\/(\w+)\.cc$/, '#include "$1.h"')
      if (first.startsWith(header)) return []
      return /^(?:\/\*\*?|\/\/)\s*\S|^\/\*\*\n \* \S/.test(first)
        ? []
        : ['put a comment on top: what it is, the idea, what it must never do']
    },
    bad: [
      { path: 'src/api/a.ts', text: "import x from 'y'\n/** Late. */" },
      { path: 'native/core/a.cc', text: '#include "b.h"' },
    ],
    good: [
      { path: 'src/cli/a.ts', text: '#!/usr/bin/env node\n/** The command. */' },
      { path: 'src/cli/a.ts', text: '/**\n * The command.\n */' },
      { path: 'native/core/a.h', text: '// The lane.\n#pragma once' },
      { path: 'native/core/a.cc', text: '#include "a.h"' },
    ],
  },
  {
    ...textBans('native/core knows nothing of Node', (path) => path.startsWith('native/core/'), [
      [
        /#\s*include\s*[<"](?:napi|node_api|js_native_api|node|v8|uv)\.h/,
        'bind it in native/addon',
      ],
      [/#\s*include\s*[<"](?:\.\.\/)?addon\//, 'native/core looks downward only'],
    ]),
    bad: [
      { path: 'native/core/a.cc', text: '#include <napi.h>' },
      { path: 'native/core/a.cc', text: '#include "../addon/binding.h"' },
    ],
    good: [
      { path: 'native/core/a.cc', text: '#include "wire.h"' },
      { path: 'native/addon/a.cc', text: '#include <napi.h>' },
    ],
  },
  {
    ...bans('every test runs', isTest, [
      [
        /\b(?:it|test|describe|suite|bench)(?:\.\w+)*\.(?:only|skip|todo|fails)\b/,
        'let it run, or delete it',
      ],
      [/\bdoctest::(?:skip|may_fail|should_fail)\b/, 'let it run, or delete it'],
    ]),
    bad: [
      { path: 'test/unit/a.test.ts', text: 'it.only(name, f)' },
      { path: 'test/unit/a.test.ts', text: 'describe.concurrent.skip(name, f)' },
      { path: 'test/unit/a.test.ts', text: 'test.todo(name)' },
      { path: 'native/test/a_test.cc', text: 'TEST_CASE("a" * doctest::skip()) {}' },
    ],
    good: [{ path: 'test/unit/a.test.ts', text: "it('stands alone', () => queue.skip(1))" }],
  },
  {
    ...textBans('nothing is marked unfinished', isText, [
      [unfinished, 'finish it, or open an issue'],
    ]),
    bad: [{ path: 'src/api/a.ts', text: `// ${'TO' + 'DO'}: later` }],
    good: [{ path: 'src/api/a.ts', text: '// done; see hackathon.md' }],
  },
  {
    ...textBans('no file names a machine or a registry', isText, [
      [machinePath, 'name the path relative to the repository, or use os.tmpdir()'],
      [registryHost, 'leave the host out: .npmrc keeps it from the lockfile'],
    ]),
    bad: [
      { path: 'README.md', text: `see ${'/wo' + 'rk'}/main` },
      { path: 'scripts/a.mjs', text: `const dir = '${'/ho' + 'me'}/user'` },
      { path: 'package-lock.json', text: `"resolved": "https://${'regi' + 'stry'}.example/x.tgz"` },
    ],
    good: [
      { path: 'README.md', text: 'see docs/work/main and https://example.org/home/x' },
      { path: 'package-lock.json', text: '"node_modules/registry-url": {}' },
    ],
  },
]

/** Compares native/core/errors.def with the table of src/errors.ts; one line per difference. */
export function errorTableDifferences(
  definitions: string,
  table: Readonly<Record<string, { readonly meaning?: string; readonly native?: number }>>,
): string[] {
  const rows = [...definitions.matchAll(/^X\((\d+), (\w+)\)$/gm)]
  const native = new Map(rows.map((row) => [row[2] ?? '', Number(row[1])]))
  const differences: string[] = []
  if (new Set(native.values()).size !== rows.length) differences.push('a number is used twice')
  for (const [code, number] of native) {
    const known = table[code]?.native
    if (known !== number) differences.push(`${code}: errors.def ${number}, src/errors.ts ${known}`)
  }
  for (const [code, row] of Object.entries(table)) {
    if (row.native !== undefined && !native.has(code)) {
      differences.push(`${code}: ${row.native} in src/errors.ts, not in errors.def`)
    }
  }
  return differences
}
