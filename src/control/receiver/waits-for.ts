/** In words, what a node waits for: `fr status` says it. */
import type { NodePulls } from '../pulling/pulls.js'
import type { NodeEdges } from './edges.js'
import type { NodePhase } from './events.js'
import type { Neighbourhood } from './neighbourhood.js'

/** Members that are named in one sentence. */
const namesMax = 3

interface Node {
  readonly neighbours: Neighbourhood
  readonly pulls: NodePulls
  readonly edges: NodeEdges
}

/** In words, what a transfer in this phase waits for; null when nothing. */
export function waitsFor(
  phase: NodePhase,
  hasLanded: boolean,
  isVerified: boolean,
  node: Node,
): string | null {
  if (phase === 'preparing' || phase === 'publishing' || phase === 'summing') return 'the disk'
  if (phase === 'accepted') return 'the plan'
  if (phase === 'orphaned') return 'another coordinator'
  if (phase !== 'receiving') return null
  if (isVerified) return 'the seal of the origin'
  return hasLanded ? 'digests' : dataFrom(node)
}

/** Whose bytes it waits for, where they do not simply flow. */
function dataFrom({ neighbours, pulls, edges }: Node): string {
  const named = (members: readonly number[]): string => {
    const names = members
      .slice(0, namesMax)
      .map((member) => neighbours.member(member)?.address ?? `member ${member}`)
    const more = members.length - names.length
    return `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
  }
  if (edges.isCutOff) return 'the connection of the origin'
  if (edges.broken.length > 0) return `the connection of ${named(edges.broken)}`
  if (pulls.silent.length > 0) return `a sign of life of ${named(pulls.silent)}`
  return pulls.asked.length > 0 ? `blocks from ${named(pulls.asked)}` : 'data'
}
