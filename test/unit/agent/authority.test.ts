/** Which right each request needs; what is written down of those that came. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Authority, type PeerEntry } from '../../../src/agent/authority.js'
import {
  isQuestion,
  memberRights,
  type Question,
  questionTypes,
  type RequestName,
  wantedBy,
  wantedByFetch,
  wantedByOffer,
  wordOf,
} from '../../../src/agent/requests.js'
import type { FrErrorCode } from '../../../src/base/errors.js'
import { limits } from '../../../src/base/limits.js'
import type { LogEntry } from '../../../src/base/log.js'
import type { Wanted } from '../../../src/base/rights.js'
import type { Frame } from '../../../src/control/messages/types.js'
import { sampleFrames } from '../protocol/frame-support.js'

const nodeId = 'ab'.repeat(16)
const asking = { peer: { nodeId }, remoteAddress: '10.0.0.9:4000' }

function node(rightsText: string | null, list: Record<string, PeerEntry> = {}) {
  const lines: LogEntry[] = []
  const peers: Record<string, PeerEntry> = { [nodeId]: { name: 'edge-1', rightsText }, ...list }
  const authority = new Authority({ find: (id) => peers[id] }, (line) => lines.push(line))
  return { authority, lines }
}

function refusal(rightsText: string | null, request: RequestName, wanted: readonly Wanted[]) {
  try {
    node(rightsText).authority.require(asking, request, wanted)
  } catch (error) {
    return error as { readonly code: FrErrorCode; readonly message: string }
  }
  return null
}

function sample<T extends Frame['type']>(type: T): Extract<Frame, { readonly type: T }> {
  const frame = sampleFrames.find((one) => one.type === type)
  if (frame === undefined) throw new Error(`no sample of ${type}`)
  return frame as Extract<Frame, { readonly type: T }>
}

/** What suffices for each request, and with what is left out of that it does not. */
const requests: readonly (readonly [RequestName, readonly Wanted[], readonly string[]])[] = [
  ...questionTypes.map((type) => {
    const wanted = wantedBy(sample(type) as Question)
    return [type, wanted, wanted.map(({ right }) => right)] as const
  }),
  ['fetch', wantedByFetch(sample('fetch')), ['get']],
  ...(['receiver', 'mirror', 'gateway'] as const).map((role) => {
    const [entry] = sample('manifest').entries
    const wanted = wantedByOffer({ ...sample('offer'), role }, entry as NonNullable<typeof entry>)
    return [role, wanted, wanted.map(({ right }) => right)] as const
  }),
  ...(['pull', 'bridge', 'succeed'] as const).map(
    (type) => [type, memberRights, ['relay']] as const,
  ),
]

describe('a peer with too few rights', () => {
  it.each(requests)('is refused %s by name', (request, wanted, rights) => {
    expect(wanted.length).toBeGreaterThan(0)
    expect(refusal(rights.join(', '), request, wanted)).toBeNull()
    expect(refusal('admin', request, wanted)).toBeNull()
    expect(refusal(null, request, wanted)).toBeNull()
    for (const lacking of rights) {
      const others = ['push', 'get', 'status', 'add', 'limit', 'rm', 'be-origin', 'relay']
      const instead = wanted.find(({ right }) => right === lacking)?.or
      const left = others.filter((right) => right !== lacking && right !== instead)
      const refused = refusal(left.join(', '), request, wanted)
      expect(refused?.code).toBe('ERR_FR_RIGHT')
      expect(refused?.message).toContain(`the right '${lacking}`)
    }
    expect(refusal('none', request, wanted)?.code).toBe('ERR_FR_RIGHT')
  })

  it('whatever clients can ask: no question goes without a right', () => {
    const text = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8')
    const rows = text.matchAll(
      /^\| \d+ \| `(\w+)` \| (?:client|operator|author)[^|]* to (?:node|member)/gm,
    )
    const asked = [...rows].map(([, type]) => type as string).filter((type) => type !== 'fetch')
    expect(asked.sort()).toEqual([...questionTypes].sort())
    const answers = sampleFrames.filter((frame) => !isQuestion(frame))
    expect(answers.length).toBe(sampleFrames.length - questionTypes.length)
  })

  it('is refused everything when it is in no list', () => {
    const { authority } = node(null)
    const stranger = { ...asking, peer: { nodeId: 'cd'.repeat(16) } }
    expect(() => authority.require(stranger, 'list', [{ right: 'status' }])).toThrow(
      "the right 'status' is missing",
    )
  })
})

describe('without a list', () => {
  it('whoever holds the key may do all', () => {
    const authority = new Authority(undefined, () => {})
    for (const [request, wanted] of requests) authority.require(asking, request, wanted)
    expect(authority.audit[0]).toMatchObject({ peer: nodeId, name: null, decision: 'allowed' })
  })
})

describe('the audit', () => {
  const name = new TextEncoder().encode('a/b')

  it('has a word for each request, no two alike, and none of the protocol', () => {
    const words = requests.map(([request]) => wordOf(request))
    expect(new Set(words).size).toBe(requests.length)
    for (const word of words) expect(word).toMatch(/^[a-z]+(:? [a-z]+)*$/)
    expect([wordOf('statusRequest'), wordOf('receiver')]).toEqual(['status', 'push'])
  })

  it('has a line for each request: who, what, decision', () => {
    const { authority, lines } = node('get')
    authority.require(asking, 'fetch', [{ right: 'get', name }])
    expect(() => authority.require(asking, 'remove', [{ right: 'rm', name }])).toThrow()
    authority.require(asking, 'fetch', [{ right: 'get', name }])
    const who = { peer: nodeId, name: 'edge-1', address: '10.0.0.9:4000' }
    expect(authority.audit).toEqual([
      {
        ...{ ...who, what: 'get a/b', decision: 'allowed', missing: null, count: 2 },
        secondsAgo: expect.any(Number),
      },
      {
        ...{ ...who, what: 'remove a/b', decision: 'refused', missing: 'rm a/b', count: 1 },
        secondsAgo: expect.any(Number),
      },
    ])
    expect(lines.map(({ level, event, fields }) => [level, event, fields['decision']])).toEqual([
      ['info', 'audit', 'allowed'],
      ['warn', 'audit', 'refused'],
      ['info', 'audit', 'allowed'],
    ])
    expect(lines[1]?.fields).toMatchObject({ ...who, what: 'remove a/b', missing: 'rm a/b' })
  })

  it('is bounded, and reads alone are no line of the usual log', () => {
    const { authority, lines } = node('status')
    const named = (text: string) =>
      [{ right: 'status', name: new TextEncoder().encode(text) }] as const
    for (let n = 0; n <= limits.auditLines; n++)
      authority.require(asking, 'list', named(`${n}`), true)
    const long = { right: 'status', name: new Uint8Array(4_096).fill(0x78) } as const
    authority.require(asking, 'verify', [long], true)
    expect(authority.audit.length).toBe(limits.auditLines)
    expect(authority.audit[0]?.what.length).toBe(limits.auditChars)
    expect(authority.audit.some(({ what }) => what === 'list 0')).toBe(false)
    expect(new Set(lines.map(({ level }) => level))).toEqual(new Set(['debug']))
  })
})

describe('what criteria find of a peer', () => {
  const claims = { nodeId, attributes: { name: 'core-1', site: 'us', gpu: '' } }

  it('is what it says of itself where no list says better', () => {
    const authority = new Authority(undefined, () => {})
    const found = { name: 'core-1', site: 'us', gpu: '', id: nodeId }
    expect(authority.attributesOf(claims)).toEqual(found)
    expect(authority.attributesOf({ nodeId })).toEqual({ id: nodeId })
    expect(authority.attributesOf(null)).toEqual({})
  })

  it('has the name of the list', () => {
    const found = { name: 'edge-1', site: 'us', gpu: '', id: nodeId }
    expect(node('get').authority.attributesOf(claims)).toEqual(found)
  })

  it('is what the list says where it says anything', () => {
    const found = { name: 'edge-1', site: 'eu', id: nodeId }
    expect(node('get, attr site=eu').authority.attributesOf(claims)).toEqual(found)
  })
})
