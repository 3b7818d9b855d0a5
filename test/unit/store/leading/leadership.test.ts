/** Masters over one bucket: who leads, what is kept, and what one cannot do that leads no more. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import type { FrError } from '../../../../src/base/errors.js'
import { limits } from '../../../../src/base/limits.js'
import type { LogEntry } from '../../../../src/base/log.js'
import { type KeptEntry, keptOf } from '../../../../src/control/messages/kept.js'
import { headIn } from '../../../../src/store/leading/head.js'
import { Leadership, type Reigning } from '../../../../src/store/leading/leadership.js'
import { Mirror } from '../../../../src/store/leading/mirror.js'
import { SharedState } from '../../../../src/store/leading/shared-state.js'
import { statePlaceIn, withStateFile } from '../../../../src/store/leading/state-place.js'
import { MemoryBucket } from './memory-bucket.js'

const open: Leadership[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

function master(bucket: MemoryBucket, address: string) {
  const reigns: Reigning[] = []
  const over: FrError[] = []
  const lines: LogEntry[] = []
  let wake = () => {}
  const leadership = new Leadership({
    ...{ bucket, address, log: (line) => void lines.push(line) },
    onLead: (reign) => {
      reigns.push(reign)
      wake()
    },
    onOver: (why) => {
      over.push(why)
      wake()
    },
  })
  open.push(leadership)
  const until = async (isThere: () => boolean) => {
    while (!isThere())
      await new Promise<void>((resolve) => {
        wake = resolve
      })
  }
  return { leadership, reigns, over, lines, until }
}

async function leading(bucket: MemoryBucket, address: string) {
  const one = master(bucket, address)
  one.leadership.start()
  await one.until(() => one.reigns.length > 0)
  const reign = one.reigns[0] as Reigning
  return { ...one, reign, state: new SharedState(reign) }
}

const drained = (node: string, isDrained = true): KeptEntry => ({
  ...{ type: 'drained', node, isDrained },
})
const heard = (name: string): KeptEntry => ({
  type: 'heard',
  said: {
    ...{ name, contentId: 'ab'.repeat(16), digest: `blake3:${'cd'.repeat(32)}`, size: 5 },
    isGrowing: false,
  },
})

it('gives what one has kept to the next one, which leads once the first one has left', async () => {
  const bucket = new MemoryBucket()
  const first = await leading(bucket, '10.0.0.1:1')
  expect((await first.state.load()).entries).toEqual([])
  await first.state.append([drained('a'), heard('x')])
  await Promise.all([first.state.append([drained('b')]), first.state.append([heard('y')])])
  await first.state.snapshot([drained('a'), drained('b'), heard('x'), heard('y')])
  expect([...bucket.values.keys()]).toEqual(['1-1.s.0'])
  await first.state.append([drained('a', false)])
  const second = master(bucket, '10.0.0.2:1')
  second.leadership.start()
  await first.leadership.close()
  expect(first.over.map(({ code }) => code)).toEqual(['ERR_FR_NOT_LEADING'])
  await second.until(() => second.reigns.length > 0)
  const reign = second.reigns[0] as Reigning
  expect([reign.term, second.leadership.leader]).toEqual([2, '10.0.0.2:1'])
  const state = new SharedState(reign)
  const kept = keptOf((await state.load()).entries)
  expect([[...kept.drained], kept.heard.map(({ name }) => name)]).toEqual([['b'], ['x', 'y']])
  await state.append([drained('c')])
  expect([...bucket.values.keys()]).toEqual(['1-1.s.0', '1-1.j.1.0', '1-1.j.2.0'])
})

it('changes nothing once another one leads, whatever it believes', async () => {
  const bucket = new MemoryBucket()
  const first = await leading(bucket, '10.0.0.1:1')
  await first.state.append([drained('a')])
  const before = headIn((bucket.stored as { bytes: Uint8Array }).bytes)
  const other = { ...before, term: 7, holder: 'ef'.repeat(16) }
  const { headBytes } = await import('../../../../src/store/leading/head.js')
  bucket.stored = {
    revision: (bucket.stored?.revision ?? 0) + 1,
    bytes: headBytes(other as Parameters<typeof headBytes>[0]),
  }
  await expect(first.state.append([drained('b')])).rejects.toMatchObject({
    code: 'ERR_FR_NOT_LEADING',
  })
  expect(first.reign.mayLead).toBe(false)
  expect(headIn(bucket.stored.bytes)?.kept).toEqual(before?.kept)
  await expect(first.reign.commit(first.reign.kept)).rejects.toMatchObject({
    code: 'ERR_FR_NOT_LEADING',
  })
})

it('counts nothing twice where the answer was lost, and waits where there is none', async () => {
  const bucket = new MemoryBucket()
  const { state, lines, reign } = await leading(bucket, '10.0.0.1:1')
  bucket.lostAnswers = 1
  await state.append([drained('a')])
  bucket.isAway = true
  const appended = state.append([drained('b')])
  setTimeout(() => {
    bucket.isAway = false
  }, 300)
  await appended
  expect(reign.kept.journal).toEqual([{ term: 1, pieces: 2 }])
  const { entries } = { entries: await new Mirror(bucket).follow(reign.kept) }
  expect(entries).toEqual([drained('a'), drained('b')])
  expect(lines.map(({ event }) => event)).toContain('state-away')
})

it('leads no more where nothing answers, and says what is damaged', async () => {
  const bucket = new MemoryBucket()
  const { until, over, state } = await leading(bucket, '10.0.0.1:1')
  const long = Array.from({ length: 4_000 }, (_, i) => heard(`${i}-${'n'.repeat(200)}`))
  await state.append(long)
  const kept = (await leadingKept(bucket)).kept
  expect(kept.journal[0]?.pieces).toBeGreaterThan(2)
  for (const value of bucket.values.values())
    expect(value.length).toBeLessThanOrEqual(limits.statePieceBytes)
  expect(await new Mirror(bucket).follow(kept)).toHaveLength(long.length)
  const key = 'begin.j.1.1'
  const value = bucket.values.get(key) as Uint8Array
  bucket.values.set(
    key,
    Uint8Array.from(value, (byte, i) => (i === 9 ? byte ^ 1 : byte)),
  )
  await expect(new Mirror(bucket).follow(kept)).rejects.toMatchObject({ code: 'ERR_FR_STATE' })
  bucket.values.delete(key)
  await expect(new Mirror(bucket).follow(kept)).rejects.toThrow(/begin\.j\.1\.1 .*not there/)
  bucket.isAway = true
  await until(() => over.length > 0)
})

async function leadingKept(bucket: MemoryBucket) {
  const head = headIn((bucket.stored as { bytes: Uint8Array }).bytes)
  if (head === null) throw new Error('no head')
  return head
}

it('begins anew, with another state, where somebody has deleted the head', async () => {
  const bucket = new MemoryBucket()
  const first = await leading(bucket, '10.0.0.1:1')
  await first.state.append([drained('a')])
  await first.leadership.close()
  bucket.stored = { revision: (bucket.stored?.revision ?? 0) + 1, bytes: new Uint8Array() }
  const second = await leading(bucket, '10.0.0.2:1')
  expect(second.reign.term).toBe(1)
  expect(second.reign.state).not.toBe(first.reign.state)
  expect((await second.state.load()).entries).toEqual([])
  // What is no head is nothing that anybody may replace.
  await second.leadership.close()
  bucket.stored = { revision: 99, bytes: Buffer.from('no head') }
  const third = master(bucket, '10.0.0.3:1')
  third.leadership.start()
  while (third.lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  expect(third.lines[0]).toMatchObject({ event: 'state-away', fields: { code: 'ERR_FR_STATE' } })
  expect([third.reigns, bucket.stored.revision]).toEqual([[], 99])
})

it('reads how to get in from a file that is not for others', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'fr-state-file-'))
  const path = join(directory, 'state.json')
  const read = (text: string, mode = 0o600) => {
    rmSync(path, { force: true })
    writeFileSync(path, text, { mode })
    return withStateFile(statePlaceIn('nats://a'), path)
  }
  try {
    expect(
      await read(
        '{"user": "u", "password": "p", "replicas": 3, "tls": {"ca": "/ca", "name": "n"}}',
      ),
    ).toEqual({
      ...{ servers: ['nats://a'], bucket: 'fastreplica', replicas: 3 },
      ...{ user: 'u', password: 'p', tls: { ca: '/ca', name: 'n' } },
    })
    for (const [bad, why] of [
      ['{"replicas": 2}', /replicas is not 1, 3 or 5/],
      ['{"token": 7}', /token is not a string/],
      ['token', /not JSON/],
    ] as const)
      await expect(read(bad)).rejects.toMatchObject({
        ...{ code: 'ERR_FR_KEY', message: expect.stringMatching(why) },
      })
    await expect(read('{}', 0o604)).rejects.toThrow(/others may read it/)
    rmSync(path)
    await expect(withStateFile(statePlaceIn('nats://a'), path)).rejects.toThrow(/ENOENT/)
  } finally {
    rmSync(directory, { recursive: true })
  }
})

it('knows where the state is, and takes no secret from a command line', () => {
  expect(statePlaceIn('nats://a:4222,[::1]:4223/fr-1')).toEqual({
    ...{ servers: ['nats://a:4222', 'nats://[::1]:4223'], bucket: 'fr-1', replicas: 1, tls: null },
  })
  expect(statePlaceIn('tls://a')).toMatchObject({ bucket: 'fastreplica', tls: {} })
  for (const bad of [
    'nats://u:p@a',
    'nats://',
    'http://a',
    'nats://a/b.c',
    'nats://a,',
    'nats://a/b/c',
  ])
    expect(() => statePlaceIn(bad), bad).toThrow(TypeError)
})
