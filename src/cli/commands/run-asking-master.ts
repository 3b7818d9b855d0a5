/** `fr sets`, `plan`, `links`, `components`, `drain`, `explain`: what a master answers. */
import type { MasterAskOptions } from '../../api/master-client-types.js'
import { keyOption } from '../arguments/keys.js'
import { allOf } from '../render/all-of.js'
import { type Context, watchSignals } from '../render/context.js'
import {
  appliedLines,
  auditLines,
  componentLines,
  drainLine,
  explainLines,
  linkLines,
  type MasterTold,
  masterLines,
  nodeLines,
  planLines,
  setLines,
} from '../render/master.js'
import { jsonText, type Paint } from '../render/text.js'
import type { AskingMasterCommand } from './asking-master.js'

/** Something lacks, or differs. */
const someStatus = 3

export async function runAskingMaster(
  command: AskingMasterCommand,
  context: Context,
): Promise<number> {
  const signal = watchSignals((text) => context.stderr(`fr ${command.command}: ${text}\n`))
  const key = await keyOption(command, context)
  const client = await import('../../api/master-client.js')
  const asked = { ...key, signal }
  const { via, json } = command
  const show = new Shown(context, json)
  switch (command.command) {
    case 'sets': {
      if (command.action === 'status') {
        const all = await show.rows(client.sets(via, asked), setLines)
        return all.some(({ missingFiles }) => missingFiles > 0) ? someStatus : 0
      }
      const { path = '', prune } = command
      const dryRun = command.action === 'diff'
      const applied = await client.applySets(via, path, { ...asked, prune, dryRun })
      show.one(applied, appliedLines)
      return dryRun && applied.changes.length > 0 ? someStatus : 0
    }
    case 'plan': {
      const { name } = command
      await show.rows(
        client.plan(via, { ...asked, ...(name !== undefined && { name }) }),
        planLines,
      )
      return 0
    }
    case 'links':
      await show.rows(client.links(via, asked), linkLines)
      return 0
    case 'components':
      if (command.nodes) await show.rows(client.nodes(via, asked), nodeLines)
      else await show.rows(client.components(via, asked), componentLines)
      return 0
    case 'drain': {
      const { node, undo } = command
      show.one(await client.drain(via, node, { ...asked, undo }), drainLine)
      return 0
    }
    case 'explain':
      show.one(await client.explain(via, command.node, command.name, asked), explainLines)
      return 0
    default:
      return command satisfies never
  }
}

/** `fr verify --via MASTER`. */
export async function runAudit(
  { via, json, asked }: { via: string; json: boolean; asked: MasterAskOptions },
  context: Context,
): Promise<number> {
  const { audit } = await import('../../api/master-client.js')
  const found = await new Shown(context, json).rows(audit(via, asked), auditLines)
  return found.length === 0 ? 0 : someStatus
}

/** `fr status` of a master. */
export async function runMasterStatus(
  { address: master, json, asked }: { address: string; json: boolean; asked: MasterAskOptions },
  context: Context,
): Promise<number> {
  const client = await import('../../api/master-client.js')
  const [nodes, sets, plan] = [
    await allOf(client.nodes(master, asked)),
    await allOf(client.sets(master, asked)),
    await allOf(client.plan(master, asked)),
  ]
  const copies = plan.filter(({ event }) => event === 'copy')
  const told: MasterTold = { event: 'masterStatus', master, nodes, sets, copies }
  new Shown(context, json).one(told, masterLines)
  return 0
}

type Lines<T> = (shown: T, paint: Paint, columns: number | undefined) => string[]

class Shown {
  readonly #context: Context
  readonly #json: boolean

  constructor(context: Context, json: boolean) {
    this.#context = context
    this.#json = json
  }

  /** All of them, once they are there. */
  async rows<T>(rows: AsyncIterable<T>, lines: Lines<readonly T[]>): Promise<T[]> {
    const all: T[] = []
    for await (const row of rows) {
      if (this.#json) this.#context.stdout(`${jsonText(row)}\n`)
      all.push(row)
    }
    if (!this.#json) this.#print(lines(all, this.#context.paintStdout, this.#columns))
    return all
  }

  one<T>(one: T, lines: Lines<T>): void {
    if (this.#json) this.#context.stdout(`${jsonText(one)}\n`)
    else this.#print(lines(one, this.#context.paintStdout, this.#columns))
  }

  #print(lines: readonly string[]): void {
    if (lines.length > 0) this.#context.stdout(`${lines.join('\n')}\n`)
  }

  get #columns(): number | undefined {
    return this.#context.stdoutIsTerminal ? this.#context.terminal()?.columns : undefined
  }
}
