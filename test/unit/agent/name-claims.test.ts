/** Who may write a name at a node when two transfers want it. */
import { describe, expect, it } from 'vitest'
import { type InDoubt, NameClaims } from '../../../src/agent/name-claims.js'

function claimant(transfer: string, name = 'a') {
  return {
    name: Buffer.from(name),
    spec: {
      transfer,
      originAddress: `10.0.0.${transfer}:7`,
      isPlanned: false,
      originId: 'o',
      tree: undefined as { id: string; isBundle: boolean } | undefined,
    },
    hasPlan: false,
    isEnded: false,
    isOrphaned: false,
    givesWay() {
      this.isEnded ||= this.isOrphaned
      return this.isEnded
    },
  }
}

type Made = ReturnType<typeof claimant>

function partOf(id: string, transfer: string, name: string, isBundle = true): Made {
  const made = claimant(transfer, name)
  return { ...made, spec: { ...made.spec, tree: { id, isBundle }, isPlanned: true } }
}

/** What became of a claim so far. */
function watched(claims: NameClaims<Made>, who: Made): { state: () => Promise<string> } {
  let state = 'waits'
  claims.claim(who).then(
    () => {
      state = 'has'
    },
    (error) => {
      state = error.code
    },
  )
  const settled = () => new Promise((resolve) => setImmediate(resolve))
  return { state: () => settled().then(() => state) }
}

const busy = (transfer: string) => ({
  code: 'ERR_FR_BUSY',
  message: `transfer ${transfer} from 10.0.0.${transfer}:7 is writing this name`,
})

describe('a name that nodes decide about', () => {
  const claimsOf = (doubt: InDoubt) =>
    new NameClaims<Made>((name) => (Buffer.from(name).toString() === 'a' ? doubt : undefined))
  const undecided = { code: 'ERR_FR_BUSY', message: expect.stringContaining('(d)') }

  it('is had by nobody else', async () => {
    const claims = claimsOf({ id: 'd', wanted: null })
    await expect(claims.claim(claimant('1'))).rejects.toMatchObject(undecided)
    const removed = claims.without(Buffer.from('a'), async () => 1)
    await expect(removed).rejects.toMatchObject(undecided)
    expect(await claims.without(Buffer.from('a'), async () => 1, 'd')).toBe(1)
    await claims.claim(claimant('2', 'b'))
  })

  it('takes what was decided on', async () => {
    const claims = claimsOf({ id: 'd', wanted: 'blake3:ab' })
    const of = (fileDigest: string) => {
      const made = claimant('1')
      return { ...made, spec: { ...made.spec, fileDigest } }
    }
    const [wrong, right] = [of('blake3:cd'), of('blake3:ab')]
    await expect(claims.claim(wrong)).rejects.toMatchObject(undecided)
    await claims.claim(right)
  })
})

describe('a name at a node', () => {
  it('is refused to the later transfer, by the name of the first and of its sender', async () => {
    const claims = new NameClaims<Made>()
    await claims.claim(claimant('1'))
    await expect(claims.claim(claimant('2'))).rejects.toMatchObject(busy('1'))
    await claims.claim(claimant('2', 'b'))
  })

  it('is not kept by a transfer that has ended on another disk, where it may hang', async () => {
    const claims = new NameClaims<Made>()
    const [hung, same, other] = ['1', '2', '3'].map((transfer) => claimant(transfer))
    if (hung === undefined || same === undefined || other === undefined) throw new Error('none')
    for (const [made, place] of [
      [hung, 1],
      [same, 1],
      [other, 0],
    ] as const)
      Object.assign(made.spec, { place })
    await claims.claim(hung)
    await expect(claims.claim({ ...other })).rejects.toMatchObject(busy('1'))
    hung.isEnded = true
    const waiting = watched(claims, same)
    await claims.claim(other)
    claims.release(other)
    expect(await waiting.state()).toBe('waits')
    claims.release(hung)
    expect(await waiting.state()).toBe('has')
  })

  it('is had of a transfer whose origin is gone, once that has given it back', async () => {
    const claims = new NameClaims<Made>()
    const orphan = { ...claimant('2'), hasPlan: true, isOrphaned: true }
    await claims.claim(orphan)
    const claim = watched(claims, claimant('3'))
    expect(await claim.state()).toBe('waits')
    expect(orphan.isEnded).toBe(true)
    claims.release(orphan)
    expect(await claim.state()).toBe('has')
  })

  it('is waited for by the lower id while the holder has no plan', async () => {
    const claims = new NameClaims<Made>()
    const [low, high] = [claimant('1'), claimant('2')]
    await claims.claim(high)
    const claim = watched(claims, low)
    expect(await claim.state()).toBe('waits')
    high.isEnded = true
    claims.changed()
    expect(await claim.state()).toBe('waits')
    claims.release(high)
    expect(await claim.state()).toBe('has')
    expect([...claims.holders]).toEqual([low])
  })

  it('is waited for by any id that joins while the holder has no plan', async () => {
    const claims = new NameClaims<Made>()
    const [low, high] = [claimant('1'), claimant('2')]
    await claims.claim(low)
    high.spec.isPlanned = true
    const claim = watched(claims, high)
    expect(await claim.state()).toBe('waits')
    low.isEnded = true
    claims.release(low)
    expect(await claim.state()).toBe('has')
    // It is not waited for itself.
    await expect(claims.claim(claimant('0'))).rejects.toMatchObject(busy('2'))
  })

  it('is refused to whoever joins once the holder has its plan', async () => {
    const claims = new NameClaims<Made>()
    const [holder, joiner] = [claimant('2'), claimant('1')]
    holder.hasPlan = joiner.spec.isPlanned = true
    await claims.claim(holder)
    await expect(claims.claim(joiner)).rejects.toMatchObject(busy('2'))
  })

  it('is refused to the lower id once the holder has its plan', async () => {
    const claims = new NameClaims<Made>()
    const high = claimant('2')
    await claims.claim(high)
    const claim = watched(claims, claimant('1'))
    expect(await claim.state()).toBe('waits')
    high.hasPlan = true
    claims.changed()
    expect(await claim.state()).toBe('ERR_FR_BUSY')
    await expect(claims.claim(claimant('1'))).rejects.toMatchObject(busy('2'))
  })

  it('is waited for by any id while the holder gives back what it had', async () => {
    const claims = new NameClaims<Made>()
    const holder = claimant('1')
    await claims.claim(holder)
    holder.hasPlan = true
    holder.isEnded = true
    const claim = watched(claims, claimant('2'))
    expect(await claim.state()).toBe('waits')
    claims.release(holder)
    expect(await claim.state()).toBe('has')
  })

  it('is never given to a transfer that ends while it waits', async () => {
    const claims = new NameClaims<Made>()
    const [low, high] = [claimant('1'), claimant('2')]
    await claims.claim(high)
    const claim = watched(claims, low)
    low.isEnded = true
    claims.changed()
    expect(await claim.state()).toBe('ERR_FR_CLOSED')
    claims.release(high)
    expect([...claims.holders]).toEqual([])
  })

  it('is given back by its holder alone', async () => {
    const claims = new NameClaims<Made>()
    const holder = claimant('1')
    await claims.claim(holder)
    claims.release(claimant('2'))
    expect([...claims.holders]).toEqual([holder])
  })

  it('is waited for while it is removed, and removed only while nobody writes it', async () => {
    const claims = new NameClaims<Made>()
    const name = Buffer.from('a')
    let removed = (): void => {}
    const removal = claims.without(name, () => new Promise<void>((done) => (removed = done)))
    const twice = claims.without(name, async () => {})
    await expect(twice).rejects.toMatchObject({ code: 'ERR_FR_BUSY' })
    const holder = claimant('1')
    const claim = watched(claims, holder)
    await claims.claim(claimant('2', 'b'))
    expect(await claim.state()).toBe('waits')
    removed()
    await removal
    expect(await claim.state()).toBe('has')
    const late = claims.without(name, async () => expect.unreachable())
    await expect(late).rejects.toMatchObject(busy('1'))
    claims.release(holder)
    expect(await claims.without(name, async () => 'gone')).toBe('gone')
  })

  it('is shared by bundles and large files of one tree of one origin', async () => {
    const claims = new NameClaims<Made>()
    const first = partOf('t', '1', 'a/b')
    await claims.claim(first)
    await claims.claim(partOf('t', '2', 'a/b'))
    await claims.claim(partOf('t', '3', 'a/b/large', false))
    expect([...claims.holders]).toHaveLength(3)
    const stranger = partOf('t', '4', 'a/b')
    stranger.spec.originId = 'another'
    for (const other of [partOf('u', '5', 'a/b'), stranger])
      await expect(claims.claim(other)).rejects.toMatchObject({ code: 'ERR_FR_BUSY' })
  })

  it('is refused beneath a tree and above it, as long as the tree has it', async () => {
    const claims = new NameClaims<Made>()
    const tree = partOf('t', '1', 'a/b')
    await claims.claim(tree)
    const beside = [claimant('2', 'a/bc'), claimant('3', 'a/c'), partOf('u', '4', 'b')]
    for (const other of beside) await claims.claim(other)
    const meeting = [
      claimant('5', 'a/b/c/d'),
      claimant('6', 'a'),
      partOf('u', '7', 'a/b/c'),
      partOf('u', '8', 'a'),
    ]
    for (const other of meeting) await expect(claims.claim(other)).rejects.toMatchObject(busy('1'))
    const removal = claims.without(Buffer.from('a/b/c'), async () => expect.unreachable())
    await expect(removal).rejects.toMatchObject(busy('1'))
    claims.release(tree)
    await claims.claim({ ...claimant('5', 'a/b/c/d'), hasPlan: true })
    // Now the tree finds somebody beneath its name.
    await expect(claims.claim(tree)).rejects.toMatchObject(busy('5'))
  })

  it('is waited for by a tree while a name beneath it is removed', async () => {
    const claims = new NameClaims<Made>()
    let removed = (): void => {}
    const name = Buffer.from('a/b/c')
    const removal = claims.without(name, () => new Promise<void>((done) => (removed = done)))
    const claim = watched(claims, partOf('t', '1', 'a/b'))
    expect(await claim.state()).toBe('waits')
    removed()
    await removal
    expect(await claim.state()).toBe('has')
  })

  it('is free again after a removal that failed', async () => {
    const claims = new NameClaims<Made>()
    const failing = claims.without(Buffer.from('a'), () => Promise.reject(new Error('no')))
    const claim = watched(claims, claimant('1'))
    await expect(failing).rejects.toThrow('no')
    expect(await claim.state()).toBe('has')
  })
})
