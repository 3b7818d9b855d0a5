/**
 * The habits of this repository as rules over file texts. A rule names the files it looks at and
 * returns one line per violation; the line says what to write instead. Every rule carries a sample
 * that it must catch and one that it must let pass, so that a rule that went blind is noticed.
 *
 * Texts are searched, not parsed: `codeOf` blanks comments, strings and regular expressions first,
 * where they would be mistaken for code.
 */
import { refusedImport } from './tidy-rooms.js'
import { codeOf, importsOf } from './tidy-text.js'

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

/** Pattern in code, and what to write instead. */
type Ban = readonly [pattern: RegExp, instead: string]

/** `read` says what is searched of a text: by default its code alone. */
function bans(
  name: string,
  applies: (path: string) => boolean,
  table: readonly Ban[],
  read: (text: string) => string = codeOf,
) {
  return {
    name,
    applies,
    check: (text: string): string[] =>
      read(text)
        .split('\n')
        .flatMap((line, index) =>
          table
            .filter(([pattern]) => pattern.test(line))
            .map(([pattern, instead]) => `line ${index + 1}: ${pattern.source}: ${instead}`),
        ),
  }
}

/** The same over the whole text, comments and strings included. */
const textBans = (name: string, applies: (path: string) => boolean, table: readonly Ban[]) =>
  bans(name, applies, table, (text) => text)

const isSource = (path: string) => /^src\/.*\.tsx?$/.test(path)
const isPure = (path: string) =>
  /^src\/(?:control|documents|protocol|sim|session\/driver)\//.test(path)
const isTest = (path: string) => /^(?:test|native\/test)\//.test(path)
const isWritten = (path: string) =>
  /\.(?:tsx?|mjs|cc|h)$/.test(path) && /^(?:src|native|test|scripts|bench|examples)\//.test(path)
/** Fuzzer inputs are bytes, whatever words they happen to spell. */
const isText = (path: string) =>
  !/\.(?:png|jpg|gif|ico|tgz|bin|node)$|^native\/test\/fuzz\/corpus\//.test(path)

/** From the bottom to the top. */
const nativeRooms = ['base', 'io', 'file', 'hash', 'coding', 'wire', 'lane']

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
      { path: 'src/cli/a.ts', text: "import { x } from '../session/loop.js'" },
      { path: 'src/cli/render/a.ts', text: "import { x } from '../commands/push.js'" },
      { path: 'src/api/a.ts', text: "import type { Socket } from 'node:net'" },
      { path: 'src/session/a.ts', text: "export {\n  x,\n} from '../engine/native/engine.js'" },
      { path: 'src/session/receiver/a.ts', text: "import { x } from '../coordinator/remote.js'" },
      { path: 'src/control/a.ts', text: "import { x } from '../base/errors.js'" },
      { path: 'src/control/plan/a.ts', text: "import 'node:fs'" },
      { path: 'src/control/plan/a.ts', text: "import { x } from '../dealing/dealer.js'" },
      { path: 'src/control/receiver/a.ts', text: "import { x } from '../coordinator/events.js'" },
      { path: 'src/control/members/a.ts', text: "import { x } from '../../base/time/awake.js'" },
      { path: 'src/protocol/a.ts', text: "import { x } from '../control/plan/plan.js'" },
      { path: 'src/engine/a.ts', text: "const x = await import('../control/plan/plan.js')" },
      { path: 'src/engine/b.ts', text: "const x = require('left-pad')" },
      { path: 'src/sim/a.ts', text: "import { x } from '../../test/helper.js'" },
      { path: 'src/ports.ts', text: "import { x } from './control/messages/types.js'" },
      { path: 'src/attic/a.ts', text: "import { x } from '../base/errors.js'" },
    ],
    good: [
      { path: 'src/cli/a.ts', text: "import { x } from '../api/index.js'\nimport 'node:fs'" },
      { path: 'src/protocol/a.ts', text: "import type { F } from '../control/messages/types.js'" },
      { path: 'src/control/view/a.ts', text: "import { x } from '../coordinator/machine.js'" },
      { path: 'src/agent/a.ts', text: "import { x } from '../engine/native/engine.js'" },
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
        [/\bPromise\b|\basync\b|\bawait\b/, 'return commands; the session waits'],
        [/\bconsole\b/, 'return a command or an event; the session reports'],
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
      { path: 'src/session/a.ts', text: 'const now = Date.now()' },
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
      const header = path.replace(/^native\/(.*)\.cc$/, '#include "$1.h"')
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
      { path: 'native/core/io/a.cc', text: '#include "core/io/a.h"' },
    ],
  },
  {
    name: 'a room of native/core includes only rooms below it',
    applies: (path) => path.startsWith('native/core/'),
    check(text, path) {
      const own = nativeRooms.indexOf(path.split('/')[2] ?? '')
      if (own < 0) return ['put it into a room, or add the room here']
      return [...text.matchAll(/#include "core\/(\w+)\//g)].flatMap(([line, room = '']) =>
        nativeRooms.indexOf(room) > own ? [`${line}: ${path.split('/')[2]} stands below`] : [],
      )
    },
    bad: [
      { path: 'native/core/base/a.h', text: '#include "core/wire/wire.h"' },
      { path: 'native/core/a.cc', text: '' },
    ],
    good: [{ path: 'native/core/lane/a.cc', text: '#include "core/file/storage.h"' }],
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
    ...bans(
      'bytes meet sockets in native/core/io alone',
      (path) => path.startsWith('native/core/') && !path.startsWith('native/core/io/'),
      [
        [
          /(?<![\w.>:])(?:::\s*)?(?:recv|recvmsg|sendmsg|splice|tee|sendfile|setsockopt)\s*\(/,
          'move bytes and set sockets through core/io/channel.h',
        ],
        [/(?<!\w)::\s*(?:send|shutdown)\s*\(/, 'move bytes through core/io/channel.h'],
        [/#\s*include\s*<(?:sys\/socket|sys\/sendfile|netinet\/\w+)\.h>/, 'the same'],
      ],
    ),
    bad: [
      { path: 'native/core/lane/a.cc', text: 'const ssize_t got = recv(fd, at, 1, 0);' },
      { path: 'native/core/lane/a.cc', text: 'return ::splice(a, nullptr, b, nullptr, 1, 0);' },
      { path: 'native/core/lane/a.cc', text: '  sendfile(out, in, &at, 1);' },
      { path: 'native/core/lane/a.cc', text: 'n = ::send(fd, at, 1, MSG_NOSIGNAL);' },
      { path: 'native/core/file/a.cc', text: '#include <sys/socket.h>' },
    ],
    good: [
      { path: 'native/core/lane/a.cc', text: 'feed.channel.recv(at, 1); Lane::send(1);' },
      { path: 'native/core/io/a.cc', text: '#include <sys/socket.h>' },
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

/** TypeScript files that the comments of this text name, without a leading `../`. */
export function namedFiles(text: string): string[] {
  const comments = text.match(/\/\*[\s\S]*?\*\/|\/\/.*$/gm) ?? []
  return comments.flatMap((comment) => comment.match(/\w[\w.-]*(?:\/[\w.-]+)*\.ts\b/g) ?? [])
}

/** Compares native/core/base/errors.def with src/base/errors.ts; one line per difference. */
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
    if (known !== number)
      differences.push(`${code}: errors.def ${number}, src/base/errors.ts ${known}`)
  }
  for (const [code, row] of Object.entries(table)) {
    if (row.native !== undefined && !native.has(code)) {
      differences.push(`${code}: ${row.native} in src/base/errors.ts, not in errors.def`)
    }
  }
  return differences
}
