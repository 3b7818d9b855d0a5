/** What `fr simulate` shows. Pure string building. */
import type { SimulateResult } from '../../api/simulate-types.js'
import { type Paint, wrapWords } from './text.js'
import { count, formatBytes } from './units.js'

const titleWidth = 12

/** Lines of at most `columns`, except for unbreakable parts. */
export function simulateLines(
  result: SimulateResult,
  paint: Paint,
  columns = Number.POSITIVE_INFINITY,
): string[] {
  return factsOf(result).flatMap(([title, text]) => {
    const [first = '', ...rest] = wrapWords(text, columns - titleWidth)
    const indent = ' '.repeat(titleWidth)
    return [`${paint('bold', title.padEnd(titleWidth))}${first}`, ...rest.map((l) => indent + l)]
  })
}

function factsOf(result: SimulateResult): [title: string, text: string][] {
  const { model, nodes, bytes, groups, completion, efficiency, limiting } = result
  const { boundSeconds, predictedSeconds, seconds, originBytesSent } = result
  const shape = groups.length > 1 ? `${result.shape} of ${groups.length} groups` : result.shape
  const known = (one: number | null): string => (one === null ? 'unknown' : secondsText(one))
  const limit = limiting === null ? '' : `, limited by ${limiting}`
  const part = efficiency === null ? '' : `, ${(efficiency * 100).toFixed(1)}% of the bound`
  const facts: [string, string][] = [
    ['push', `${formatBytes(bytes)} to ${count(nodes, 'node')}, ${shape}`],
    ['model', `${model}, ${grainText(result)}, seed ${result.seed}`],
    ['bound', `${known(boundSeconds)}${limit}`],
    ['predicted', known(predictedSeconds)],
    ['simulated', `${secondsText(seconds)}${part}`],
  ]
  if (completion !== null) {
    const { min, p50, p99, max } = completion
    const [a, b, c, d] = [min, p50, p99, max].map(secondsText)
    facts.push(['complete', `${result.complete}: first ${a}, p50 ${b}, p99 ${c}, last ${d}`])
  }
  for (const { code, nodes: failed } of result.failures)
    facts.push(['failed', `${count(failed, 'node')}: ${code}`])
  facts.push(
    ['origin', `sent ${formatBytes(originBytesSent)}, ${copies(originBytesSent, bytes)}`],
    ['control', controlText(result)],
  )
  return facts
}

function grainText({ grain }: SimulateResult): string {
  return 'stepMs' in grain
    ? `in steps of ${grain.stepMs.toFixed(2)} ms`
    : `in chunks of ${formatBytes(grain.chunkBytes)}`
}

function controlText(result: SimulateResult): string {
  const { messagesPerNode, messageBytesPerNode, originMessages, originMessageBytes } = result
  const what = result.model === 'fluid' ? 'reports' : 'messages'
  const one = `${Math.round(messagesPerNode)} ${what} (${formatBytes(messageBytesPerNode)}) a node`
  return `${one}, ${originMessages} (${formatBytes(originMessageBytes)}) at the origin`
}

function copies(sent: number, bytes: number): string {
  return `${(sent / bytes).toFixed(2)} times the size`
}

/** Three decimals: what is compared differs by parts of a percent. */
function secondsText(seconds: number): string {
  return `${seconds.toFixed(3)}s`
}
