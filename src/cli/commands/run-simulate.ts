/**
 * `fr simulate`: prints what a push would take, and draws it. It holds the processor for long, and
 * has nothing to put away: a signal ends it at once.
 */
import { open } from 'node:fs/promises'
import type { SimulateSetsOptions } from '../../api/simulate-sets-types.js'
import type { SimulateResult } from '../../api/simulate-types.js'
import { readNodesFile } from '../arguments/nodes-file.js'
import type { Context } from '../render/context.js'
import { asUsage } from '../render/failures.js'
import { simulateLines } from '../render/simulate.js'
import { simulateSetsLines } from '../render/simulate-sets.js'
import { jsonText } from '../render/text.js'
import { UsageError } from '../render/units.js'
import type { SimulateCommand } from './simulate.js'

export async function runSimulate(command: SimulateCommand, context: Context): Promise<number> {
  const { simulate } = await import('../../api/simulate.js')
  const { command: _, nodes, nodesFile, plot, json, topology, sets, ...wanted } = command
  const targets = nodesFile === undefined ? (nodes as number) : await readNodesFile(nodesFile)
  if (topology !== undefined && sets !== undefined)
    return simulateMaster({ ...command, topology, sets }, targets, context)
  // Opened before, so that nobody waits for a picture that has no place. What it holds stays
  // until there is another picture.
  const file = plot === undefined ? undefined : await opened(plot)
  try {
    const result = await simulate({ ...wanted, nodes: targets }).catch((error: unknown) => {
      throw asUsage(error)
    })
    if (file !== undefined) {
      const { draw } = await import('../plot/draw.js')
      const picture = draw(result)
      if ((await file.stat()).isFile()) await file.truncate()
      await file.writeFile(picture)
    }
    show(result, json, context)
    return result.failed === 0 ? 0 : result.complete > 0 ? 3 : 1
  } finally {
    await file?.close()
  }
}

async function simulateMaster(
  command: SimulateCommand & { readonly topology: string; readonly sets: string },
  nodes: SimulateSetsOptions['nodes'],
  context: Context,
): Promise<number> {
  const { simulateSets } = await import('../../api/simulate-sets.js')
  const { topology, sets, bytes, uplinkBytesPerSecond, downlinkBytesPerSecond } = command
  const { site, latencyMs, seed } = command
  const result = await simulateSets({
    ...{ topology, sets, nodes, bytes, uplinkBytesPerSecond },
    ...(downlinkBytesPerSecond !== undefined && { downlinkBytesPerSecond }),
    ...(site !== undefined && { site }),
    ...(latencyMs !== undefined && { latencyMs }),
    ...(seed !== undefined && { seed }),
  }).catch((error: unknown) => {
    throw asUsage(error)
  })
  const lines = command.json ? [jsonText(result)] : simulateSetsLines(result, context.paintStdout)
  context.stdout(`${lines.join('\n')}\n`)
  return result.missing === 0 ? 0 : result.bytes > 0 ? 3 : 1
}

async function opened(path: string): ReturnType<typeof open> {
  try {
    return await open(path, 'a')
  } catch (error) {
    throw new UsageError(`--plot: ${(error as Error).message}`)
  }
}

function show(result: SimulateResult, json: boolean, context: Context): void {
  if (json) {
    const { groups, completeSeconds: _, use: __, ...figures } = result
    context.stdout(`${jsonText({ ...figures, groups: groups.length })}\n`)
    return
  }
  const columns = context.stdoutIsTerminal ? context.terminal()?.columns : undefined
  context.stdout(`${simulateLines(result, context.paintStdout, columns).join('\n')}\n`)
}
