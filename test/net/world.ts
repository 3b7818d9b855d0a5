/** A lab of equal links but for the origin's uplink, with real nodes; host 0 is the origin. */

import { Lab } from '../../bench/lab/lab.mjs'
import { startNodes } from '../../bench/lab/runs.mjs'
import type { Line } from '../../bench/lab/scenarios.mjs'
import { type NodeProcess, Workspace } from '../../bench/workspace.mjs'

export interface World {
  readonly lab: Lab
  readonly workspace: Workspace
  readonly keyFile: string
  readonly nodes: readonly NodeProcess[]
  close(): Promise<void>
}

/** `bytes` is the most that will be written. The uplink of the origin may differ. */
export async function startWorld(
  count: number,
  mbit: number,
  bytes: number,
  originMbit = mbit,
  line?: Line,
): Promise<World> {
  const speeds = { upMbit: mbit, downMbit: mbit }
  const nodes = Array.from({ length: count }, () => speeds)
  const hosts = [{ ...speeds, upMbit: originMbit }, ...nodes]
  const lab = Lab.create({ hosts, ...(line && { line }) })
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
