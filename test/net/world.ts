/** A lab of equal links with real nodes; host 0 is the origin. */

import { Lab } from '../../bench/lab/lab.mjs'
import { startNodes } from '../../bench/lab/runs.mjs'
import { type NodeProcess, Workspace } from '../../bench/workspace.mjs'

export interface World {
  readonly lab: Lab
  readonly workspace: Workspace
  readonly keyFile: string
  readonly nodes: readonly NodeProcess[]
  close(): Promise<void>
}

/** `bytes` is the most that will be written. */
export async function startWorld(count: number, mbit: number, bytes: number): Promise<World> {
  const speeds = { upMbit: mbit, downMbit: mbit }
  const lab = Lab.create({ hosts: Array.from({ length: count + 1 }, () => speeds) })
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
