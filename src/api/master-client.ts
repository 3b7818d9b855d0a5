/**
 * Questions to a master: how far its sets are, what is copied and why, what links carry. What holds
 * of all calls about what nodes hold is said in client.ts.
 */
import { giveSets, type RowsWanted, rowsOf } from '../agent/master/asking.js'
import { FrError } from '../base/errors.js'
import type { FileSet } from '../control/copies/sets.js'
import type { MasterRow } from '../control/messages/told.js'
import { requireAddressText } from '../net/address.js'
import { requireBoolean, requireText } from './checks.js'
import { setsAt, setsOf } from './documents.js'
import { asking, askingEach, checkAsking, wordMs } from './inquiry.js'
import type {
  ApplySetsOptions,
  AuditTold,
  ComponentTold,
  DrainOptions,
  DrainResult,
  ExplainTold,
  MasterAskOptions,
  NodeTold,
  PlanOptions,
  PlanTold,
  ResourceTold,
  SetsAppliedResult,
  SetTold,
} from './master-client-types.js'
import { requireOptions } from './option-names.js'

type Rows<T> = AsyncGenerator<T, void, undefined>

/** How far each set is. */
export function sets(master: string, options: MasterAskOptions = {}): Rows<SetTold> {
  return rows(master, options, { about: 'sets' }, isOf('set'))
}

/** The nodes that have ever joined the master. */
export function nodes(master: string, options: MasterAskOptions = {}): Rows<NodeTold> {
  return rows(master, options, { about: 'nodes' }, isOf('node'))
}

/** The copies that run, and which site is to have what from which. */
export function plan(master: string, options: PlanOptions = {}): Rows<PlanTold> {
  requireOptions('plan', options)
  const { name, ...asked } = options
  if (name !== undefined) requireText('name', name)
  const isPlan = (row: MasterRow): row is PlanTold => row.event === 'copy' || row.event === 'slice'
  return rows(master, asked, { about: 'plan', ...(name !== undefined && { name }) }, isPlan)
}

/** What each link may carry, carries, and has cost. */
export function links(master: string, options: MasterAskOptions = {}): Rows<ResourceTold> {
  return rows(master, options, { about: 'links' }, isOf('link'))
}

/** What has failed, or may have: nodes, disks and links. */
export function components(master: string, options: MasterAskOptions = {}): Rows<ComponentTold> {
  return rows(master, options, { about: 'components' }, isOf('component'))
}

/** Where what nodes say that they hold is not what the sets want. */
export function audit(master: string, options: MasterAskOptions = {}): Rows<AuditTold> {
  return rows(master, options, { about: 'audit' }, isOf('audit'))
}

/** Why a node has a file, copies it from whom it does, or waits. ERR_FR_NO_NODE. */
export async function explain(
  master: string,
  node: string,
  name: string,
  options: MasterAskOptions = {},
): Promise<ExplainTold> {
  requireText('node', node)
  requireText('name', name)
  const asked = { about: 'explain', node, name } as const
  let found: ExplainTold | undefined
  for await (const row of rows(master, options, asked, isOf('explain'))) found = row
  if (found === undefined) throw new FrError('ERR_FR_PROTOCOL', 'the master explains nothing')
  return found
}

/**
 * Gives a master the sets of a document, or of all in a directory: they take the place of those
 * with their names, at once and together. ERR_FR_DOCUMENT where one is wrong, with the place.
 */
export async function applySets(
  master: string,
  path: string,
  options: ApplySetsOptions = {},
): Promise<SetsAppliedResult> {
  const address = requireAddressText(master, 'master')
  requireOptions('applySets', options)
  requireText('path', path)
  return giveRead(address, () => setsAt(path), options)
}

/** The same with the text of documents; `name`: what errors call it. */
export async function applySetsText(
  master: string,
  documents: { readonly name: string; readonly text: string },
  options: ApplySetsOptions = {},
): Promise<SetsAppliedResult> {
  const address = requireAddressText(master, 'master')
  requireOptions('applySets', options)
  return giveRead(address, () => setsOf(documents), options)
}

async function giveRead(
  address: string,
  sets: () => Promise<FileSet[]>,
  options: ApplySetsOptions,
): Promise<SetsAppliedResult> {
  const { prune: isPruned = false, dryRun: isDry = false, ...asked } = options
  requireBoolean('prune', isPruned)
  requireBoolean('dryRun', isDry)
  checkAsking(asked)
  const read = await sets()
  return asking(address, asked, wordMs, async ({ inquiry, ...within }) => {
    const applied = await giveSets(inquiry, within, { sets: read, isPruned, isDry })
    return { event: 'sets', master: address, dryRun: isDry, ...applied }
  })
}

/** Nothing is copied from the node or to it from now on. ERR_FR_NO_NODE. */
export async function drain(
  master: string,
  node: string,
  options: DrainOptions = {},
): Promise<DrainResult> {
  const address = requireAddressText(master, 'master')
  requireOptions('drain', options)
  requireText('node', node)
  const { undo = false, ...asked } = options
  requireBoolean('undo', undo)
  const isDrained = !undo
  return asking(address, asked, wordMs, async ({ inquiry, ...within }) => {
    const said = await inquiry.ask({ type: 'drain', node, isDrained }, 'drained', within)
    const { copies, isKept } = said
    return { event: 'drained', master: address, node, isDrained, copies, isKept }
  })
}

function isOf<E extends MasterRow['event']>(event: E) {
  return (row: MasterRow): row is Extract<MasterRow, { event: E }> => row.event === event
}

function rows<T extends MasterRow>(
  master: string,
  options: MasterAskOptions,
  wanted: RowsWanted,
  isWanted: (row: MasterRow) => row is T,
): Rows<T> {
  const address = requireAddressText(master, 'master')
  requireOptions('askMaster', options)
  checkAsking(options)
  return askingEach(address, options, wordMs, async function* ({ inquiry, ...within }) {
    for await (const row of rowsOf(inquiry, within, wanted)) if (isWanted(row)) yield row
  })
}
