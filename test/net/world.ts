/** A lab of equal links, but for some, with real nodes; host 0 is the origin. */

import { Lab } from '../../bench/lab/lab.mjs'
import { startNodes } from '../../bench/lab/runs.mjs'
import type { HostSpeeds, Line } from '../../bench/lab/scenarios.mjs'
import { type NodeProcess, Workspace } from '../../bench/workspace.mjs'

export interface World {
  readonly lab: Lab
  readonly workspace: Workspace
  readonly keyFile: string
  readonly nodes: readonly NodeProcess[]
  close(): Promise<void>
}

export interface WorldOptions {
  /** Hosts that are not as all others. */
  readonly hosts?: Readonly<Record<number, Partial<HostSpeeds>>>
  readonly line?: Line
  readonly queue?: 'fifo' | 'fair'
}

/** Of the origin and this many nodes. */
export function speedsOf(
  count: number,
  mbit: number,
  others: NonNullable<WorldOptions['hosts']>,
): HostSpeeds[] {
  return Array.from({ length: count + 1 }, (_, host) => {
    return { upMbit: mbit, downMbit: mbit, ...others[host] }
  })
}

/** `bytes` is the most that will be written. */
export async function startWorld(
  count: number,
  mbit: number,
  bytes: number,
  { hosts = {}, ...network }: WorldOptions = {},
): Promise<World> {
  const lab = Lab.create({ hosts: speedsOf(count, mbit, hosts), ...network })
  const workspace = new Workspace(bytes)
  const keyFile = workspace.keyFile()
  const close = async () => {
    await workspace.close()
    lab.close()
  }
  try {
    return { lab, workspace, keyFile, nodes: await startNodes(workspace, lab, keyFile), close }
  } catch (error) {
    await close()
    throw error
  }
}
