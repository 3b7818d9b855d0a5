/** A relay's word on what it passes on, against what its mates say they receive. */
import { describe, expect, it } from 'vitest'
import { limits, MIB } from '../../../../src/base/limits.js'
import { RangeSet } from '../../../../src/base/ranges.js'
import type { GroupDealer } from '../../../../src/control/dealing/group.js'
import { RelayClaims } from '../../../../src/control/dealing/relay-claims.js'
import { DealtRelay } from '../../../../src/control/dealing/relay-queue.js'
import type { Peer } from '../../../../src/control/members/peer.js'
import { completeFrame, peerThat } from '../peers.js'
import { report } from './dealer-bench.js'
import { adaptiveDealer } from './dealers.js'

/** Node 0 relays to the others; time passes in steps of a report. */
class Group {
  nowMs = 0
  claimedBytes = 0
  readonly claims = new RelayClaims()
  readonly relay = peerThat('running')
  readonly mates: Peer[]

  constructor(mates: number) {
    this.mates = Array.from({ length: mates }, (_, i) => peerThat('running', i + 1))
  }

  /** `says`: whether this mate reports, and whether bytes of others reach it. */
  step(says: (mate: Peer) => 'silent' | 'stuck' | 'fed' = () => 'fed', witnesses = this.mates) {
    this.nowMs += limits.progressMs
    this.claimedBytes += MIB
    for (const mate of this.mates) {
      const word = says(mate)
      if (word !== 'silent') mate.counts.reportedMs = this.nowMs
      if (word === 'fed') mate.counts.receivedBytes += MIB
    }
    return this.claims.look(this.relay, this.claimedBytes, witnesses, this.nowMs)
  }

  steps(count: number, ...args: Parameters<Group['step']>) {
    return Array.from({ length: count }, () => this.step(...args))
  }

  receives(mate: number, bytes = 1): void {
    const peer = this.mates[mate] as Peer
    peer.counts.receivedFrom.set(0, (peer.counts.receivedFrom.get(0) ?? 0) + bytes)
  }
}

describe('a relay that passes nothing on', () => {
  it('is found once all its mates have said so twice', () => {
    const group = new Group(3)
    const verdicts = group.steps(20)
    const found = verdicts.indexOf('false')
    // The eighth step claims enough; the reports of the ninth are the first, the last come later.
    const enough = limits.relayClaimBytes / MIB
    expect(found).toBe(enough + limits.relayClaimMs / limits.progressMs)
    expect(verdicts.slice(0, found)).toEqual(Array(found).fill('open'))
  })

  it('is found although it claimed everything before its mates had reported at all', () => {
    const group = new Group(2)
    group.claimedBytes = 1_000 * MIB
    expect(group.steps(10)).toContain('false')
  })

  it('is found where its mates complete with the bytes of others', () => {
    const group = new Group(3)
    const enough = limits.relayClaimBytes / MIB
    // Nothing moves until each mate has the rest elsewhere, and completes one after the other.
    expect(group.steps(enough)).not.toContain('false')
    expect(group.steps(8, () => 'stuck')).not.toContain('false')
    const verdicts = group.mates.map((mate) => {
      const running = group.mates.filter(({ phase }) => phase !== 'complete')
      const verdict = group.step((other) => (other === mate ? 'fed' : 'stuck'), running)
      mate.completes(completeFrame, null)
      return verdict
    })
    expect(verdicts).toEqual(['open', 'open', 'false'])
  })

  it('is found although a mate now and then does not count', () => {
    const group = new Group(3)
    const [late, ...rest] = group.mates as [Peer, Peer, Peer]
    const enough = limits.relayClaimBytes / MIB
    expect(group.steps(enough + 2)).not.toContain('false')
    const verdicts = Array.from({ length: 8 }, (_, i) =>
      group.step(undefined, i % 2 === 0 ? rest : [late, ...rest]),
    )
    expect(verdicts).toContain('false')
  })

  it('is found although its mates get from it what they ask for', () => {
    const group = new Group(2)
    const verdicts = Array.from({ length: 20 }, () => {
      group.receives(0, MIB)
      const [mate] = group.mates
      mate?.counts.pulledFrom.set(0, mate.counts.receivedFrom.get(0) ?? 0)
      return group.step()
    })
    expect(verdicts).toContain('false')
  })

  it('is found again where it once was honest', () => {
    const group = new Group(2)
    for (let i = 0; i < 40; i++) {
      group.step()
      group.receives(i % 2, 2 * MIB)
      expect(group.step()).toBe('cleared')
    }
    expect(group.steps(20)).toContain('false')
  })
})

describe('an honest relay', () => {
  it('is cleared by any one mate, whatever the others say', () => {
    const group = new Group(4)
    for (let i = 0; i < 100; i++) {
      if (i % 4 === 0) group.receives(2, 2 * MIB)
      expect(group.step()).not.toBe('false')
    }
  })

  it('is not accused on the word of a single mate', () => {
    const group = new Group(1)
    expect(new Set(group.steps(50))).toEqual(new Set(['open']))
  })

  it.each(['silent', 'stuck'] as const)('is not accused while a mate is %s', (word) => {
    const group = new Group(3)
    expect(group.steps(100, (mate) => (mate.node === 2 ? word : 'fed'))).not.toContain('false')
  })

  it('is not accused before a mate that comes anew has said so twice', () => {
    const group = new Group(3)
    group.receives(0)
    for (let i = 0; i < 30; i++) {
      expect(group.steps(4)).not.toContain('false')
      group.step(undefined, group.mates.slice(1))
    }
  })

  it('is not accused by a mate that completed before it could say so twice', () => {
    const group = new Group(2)
    group.steps(limits.relayClaimBytes / MIB + 2)
    const [early, late] = group.mates as [Peer, Peer]
    early.completes(completeFrame, null)
    expect(group.steps(50, undefined, [late])).not.toContain('false')
  })

  it('is not accused where it takes back what it claimed, for a feed that is new', () => {
    const group = new Group(2)
    for (let i = 0; i < 10; i++) {
      expect(group.steps(limits.relayClaimBytes / MIB + 1)).not.toContain('false')
      group.claimedBytes = 0
    }
  })

  it('is cleared by what arrives after its mates have said once that nothing does', () => {
    const group = new Group(2)
    const enough = limits.relayClaimBytes / MIB + 2
    for (let i = 0; i < 20; i++) {
      expect(group.steps(enough)).not.toContain('false')
      group.receives(1, 2 * MIB)
      expect(group.step()).toBe('cleared')
    }
  })

  it('is not accused while it says little', () => {
    const group = new Group(2)
    group.step()
    for (let i = 0; i < 50; i++) {
      group.claimedBytes = MIB
      expect(group.step()).toBe('open')
    }
  })
})

describe('what a relay says it has passed on', () => {
  it('counts each byte once, however often it was dealt', () => {
    const relay = new DealtRelay(0, 0)
    relay.deal(0, MIB, 0)
    relay.takeBack()
    relay.deal(0, 2 * MIB, 0)
    relay.reported(report(3 * MIB, 0, 25), 25)
    expect(relay.claimedBytes).toBe(MIB)
  })

  it('is payload: holes reach mates as well, and nobody receives a byte for them', () => {
    const relay = new DealtRelay(0, 0)
    relay.deal(0, 3 * MIB, 0)
    relay.listedHole(5 * MIB)
    // Two of the three that were dealt are holes, too.
    relay.counted({ queuedBytes: 0, sentBytes: MIB }, 0)
    relay.reported(report(MIB, 0, 25), 25)
    expect(relay.isDone).toBe(true)
    expect(relay.claimedBytes).toBe(MIB)
  })

  it('is what its last report says: a feed that is new has all of it before it', () => {
    const relay = new DealtRelay(0, 0)
    relay.deal(0, 2 * MIB, 0)
    relay.reported(report(2 * MIB, 0, 25), 25)
    expect(relay.claimedBytes).toBe(2 * MIB)
    relay.reported(report(2 * MIB, 1.5 * MIB, 50), 50)
    expect(relay.claimedBytes).toBe(0.5 * MIB)
  })
})

describe('a relay that is found false', () => {
  const dealt = () => {
    const dealer = adaptiveDealer(64 * MIB)
    dealer.handle({ type: 'started', nodes: [0, 1, 2], nowMs: 0 })
    return dealer
  }
  /** It says that it has received and passed on all it was dealt. */
  const claim = (dealer: GroupDealer, nowMs: number) => {
    const said = report(dealer.dealtBytes(0), 0, nowMs)
    dealer.handle({ type: 'reported', node: 0, ...said, behind: [], nowMs })
    expect(dealer.claimedBytes(0)).toBe(dealer.dealtBytes(0))
    return dealer.handle({ type: 'ticked', nowMs })
  }

  it('has all that is not confirmed dealt to others, and relays nothing more', () => {
    const dealer = dealt()
    claim(dealer, 20)
    const honest = claim(dealer, 40)
    dealer.handle({ type: 'confirmed', node: 0 })
    const confirmed = dealer.claimedBytes(0)
    const after = claim(dealer, 60)
    const before = dealer.dealtBytes(0)
    expect(before).toBeGreaterThan(confirmed as number)
    const sends = dealer.handle({ type: 'distrusted', node: 0, nowMs: 60 })
    expect(dealer.dealtBytes(0)).toBe(confirmed)
    const later = Array.from({ length: 100 }, (_, i) => {
      const nowMs = 80 + 20 * i
      for (const node of [0, 1, 2]) {
        const said = report(dealer.dealtBytes(node), 0, nowMs)
        dealer.handle({ type: 'reported', node, ...said, behind: [], nowMs })
      }
      return dealer.handle({ type: 'ticked', nowMs })
    }).flat()
    const relayed = [...sends, ...later].filter((send) => send.relay)
    expect(relayed.filter((send) => send.node === 0)).toEqual([])
    // It goes on as a receiver: its mates wait for it as for any other.
    expect(dealer.excluded()).toEqual([])
    const lost = [...honest, ...after].filter(({ node, relay }) => node === 0 && relay)
    const again = RangeSet.of(relayed.map(({ offset, length }) => [offset, length]))
    const taken = lost.slice(-1)[0]
    expect(taken).toBeDefined()
    if (taken !== undefined) expect(again.contains(taken.offset, taken.length)).toBe(true)
  })
})
