/** Who of several nodes brings something into a directory that they share. */
import { mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Lease, Leases } from '../../../src/store/shared/leases.js'

let directory: string
let held: Lease[]
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fr-leases-'))
  held = []
})
afterEach(async () => {
  for (const lease of held) await lease.release()
  rmSync(directory, { recursive: true })
})

const gone = new Set<string>()
const isGone = (holder: string): boolean => gone.has(holder)
const quick = { renewMs: 10, expireMs: 150, lookMs: 5 }

/** `slow`: a holder that is stopped, and says nothing from the start. */
function leasesOf(holder: string, { slow = false, expireMs = quick.expireMs } = {}): Leases {
  const renewMs = slow ? 600_000 : quick.renewMs
  return new Leases({ ...quick, directory, holder, isGone, renewMs, expireMs })
}

async function take(leases: Leases, key = 'k'): Promise<Lease> {
  const lease = await leases.take(key, async () => false)
  if (lease === undefined) throw new Error('there is no lease')
  held.push(lease)
  return lease
}

/** Looks so often, then gives up. */
function looking(times: number): () => Promise<boolean> {
  let left = times
  return async () => left-- === 0
}

describe('a lease', () => {
  it('is of one of several that want it at once, then of the next', async () => {
    const names = ['a', 'b', 'c', 'd']
    let holders = 0
    await Promise.all(
      names.map(async (name) => {
        const lease = await take(leasesOf(name, { expireMs: 600_000 }))
        expect(++holders).toBe(1)
        await new Promise((resolve) => setTimeout(resolve, 5))
        holders--
        await lease.release()
      }),
    )
    expect(readdirSync(directory)).toEqual([])
  })

  it('stays with a holder that goes on writing to it, however long', async () => {
    const lease = await take(leasesOf('a'))
    // 60 looks are twice as long as a lease without a word lasts.
    expect(await leasesOf('b').take('k', looking(60))).toBeUndefined()
    expect(lease.isLost).toBe(false)
    expect(readdirSync(directory)).toEqual(['k.1'])
  })

  it('is of one key', async () => {
    await take(leasesOf('a'))
    await take(leasesOf('b'), 'other')
    expect(readdirSync(directory).sort()).toEqual(['k.1', 'other.1'])
  })

  it('passes on with the next number where its holder says nothing, which it finds', async () => {
    const stopped = await take(leasesOf('a', { slow: true }))
    const next = await take(leasesOf('b'))
    expect(readdirSync(directory)).toEqual(['k.2'])
    await stopped.release()
    expect(stopped.isLost).toBe(true)
    expect(readdirSync(directory)).toEqual(['k.2'])
    await next.release()
    expect(readdirSync(directory)).toEqual([])
  })

  it('passes on at once where its holder is provably gone', async () => {
    await take(leasesOf('dead', { slow: true }))
    gone.add('dead')
    const next = await take(leasesOf('b', { expireMs: 600_000 }))
    expect(next.isLost).toBe(false)
    expect(readdirSync(directory)).toEqual(['k.2'])
  })

  it('with a number that was given up is none beside a higher one', async () => {
    const first = await take(leasesOf('a'))
    // Somebody who saw number 0 long ago is late: number 1 has come and gone, 2 holds.
    renameSync(join(directory, 'k.1'), join(directory, 'k.2'))
    expect(await leasesOf('late').take('k', looking(3))).toBeUndefined()
    expect(readdirSync(directory)).toEqual(['k.2'])
    await first.release()
  })
})
