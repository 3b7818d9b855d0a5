/** A commit is told of once it has its name, and only where it has come for that. */
import { describe, expect, it } from 'vitest'
import { SwitchesTold } from '../../../src/agent/commit-told.js'
import { limits } from '../../../src/base/limits.js'
import type { NodePublication } from '../../../src/session/receiver/acceptance.js'

const what = { transfer: 'ab', name: 'model', bytes: 5, sender: '10.0.0.1:7', seconds: 2 }
const decree = { id: 'dd', name: 'model', fileDigest: 'blake3:1' }

function told(): { heard: NodePublication[]; switches: SwitchesTold } {
  const heard: NodePublication[] = []
  return { heard, switches: new SwitchesTold({ published: (one) => void heard.push(one) }) }
}

describe('a version that was brought for a decision', () => {
  it('is published at the switch, by the transfer that has brought it', () => {
    const { heard, switches } = told()
    switches.ready({ ...what, digest: 'blake3:1' }, 1_000)
    expect(heard).toEqual([])
    switches.switched(decree, { size: 5 }, true, 4_500)
    expect(heard).toEqual([{ ...what, digest: 'blake3:1', seconds: 5.5 }])
  })

  it('is nobody’s any more in another process, and none where nothing was brought', () => {
    const { heard, switches } = told()
    switches.switched(decree, { size: 5 }, true, 0)
    switches.switched(decree, { size: 5 }, false, 0)
    const { transfer: _, ...rest } = what
    const lone = { ...rest, transfer: 'dd', sender: '', seconds: 0, digest: 'blake3:1' }
    expect(heard).toEqual([lone])
  })

  it('is dropped with an abort, and a bounded number waits', () => {
    const { heard, switches } = told()
    switches.ready({ ...what, digest: 'blake3:1' }, 0)
    switches.drop(decree)
    switches.switched(decree, { size: 5 }, false, 0)
    for (let at = 0; at <= limits.commitsKept; at++)
      switches.ready({ ...what, name: `n${at}`, digest: 'blake3:1' }, 0)
    for (const name of ['n0', 'n1']) switches.switched({ ...decree, name }, { size: 5 }, false, 0)
    expect(heard.map(({ name }) => name)).toEqual(['n1'])
  })
})
