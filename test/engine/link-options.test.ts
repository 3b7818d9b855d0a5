/**
 * What the native engine asks of the kernel for control links, read back from the kernel: the
 * options have to be on the connection that carries the TLS of the link.
 */
import { spawnSync } from 'node:child_process'
import { afterEach, expect, it } from 'vitest'
import { createNativeEngine } from '../../src/engine/native/engine.js'
import { linkOver } from '../../src/net/dial.js'
import type { Established } from '../../src/net/handshake.js'
import { cleanUp, pair } from '../unit/net/handshake-support.js'

afterEach(cleanUp)

/** Sockets of this port as `ss` (iproute2) sees them; null where there is none. */
function seenByKernel(port: string): string | null {
  const { stdout, error } = spawnSync(
    'ss',
    ['-tnH', '--tos', 'state', 'established', `( sport = :${port} )`],
    { encoding: 'utf8' },
  )
  return error === undefined ? stdout : null
}

const hasTool = seenByKernel('1') !== null
const portOf = ({ remoteAddress }: Established): string => remoteAddress.split(':').at(-1) ?? ''
const events = { onFrame: () => {}, onClose: () => {} }

it.skipIf(!hasTool)('both ends of a link have priority and DSCP of control links', async () => {
  const engine = await createNativeEngine(() => {})
  const [dialled, accepted] = await pair()
  // The end that dialled has the port that the other sees.
  const ports = [portOf(accepted), portOf(dialled)] as const
  for (const port of ports) expect(seenByKernel(port)).toContain('tos:0 class_id:0')
  const links = [dialled, accepted].map((end) => linkOver(end, events, engine))
  try {
    // DSCP AF21, and TC_PRIO_INTERACTIVE as the priority.
    for (const port of ports) expect(seenByKernel(port)).toContain('tos:0x48 class_id:0x6')
  } finally {
    for (const link of links) link.destroy()
    await engine.shutdown()
  }
})
