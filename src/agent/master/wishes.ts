/** What the machine of a master wishes, said to the node that it is about, or in the log. */
import type { LogEntry } from '../../base/log.js'
import type { Component } from '../../control/copies/components.js'
import type { MasterNote, MasterWish } from '../../control/copies/master.js'
import type { Network, NodeId } from '../../control/copies/network.js'
import type { Seat } from './seat.js'

/** Where a node is reached. */
export interface Place {
  readonly nodeId: string
  /** HOST:PORT. */
  readonly address: string
}

export interface Saying {
  /** Undefined: the node is not there; it says all that it copies when it is back. */
  seatOf(node: string): Pick<Seat, 'say' | 'require'> | undefined
  placeOf(node: string): Place | undefined
  nameOf(id: NodeId): string
}

export function carryOut(wish: Exclude<MasterWish, { type: 'note' }>, to: Saying): void {
  const seat = to.seatOf(wish.node)
  if (seat === undefined) return
  switch (wish.type) {
    case 'copy': {
      const { copy, version } = wish
      const source = to.nameOf(copy.source)
      const place = to.placeOf(source)
      // The target does not speak of it then, so it is over after a while.
      if (place === undefined) return
      const { name, contentId, digest, size, isGrowing } = version
      return seat.say({
        ...{ type: 'order', copy: copy.id, name, contentId, digest, size, isGrowing },
        ...{ range: [copy.offset, copy.length], source: { name: source, ...place } },
        bytesPerSecond: atLeastOne(copy.rate),
      })
    }
    case 'rate': {
      const bytesPerSecond = atLeastOne(wish.copy.rate)
      return seat.say({ type: 'orderRate', copy: wish.copy.id, bytesPerSecond })
    }
    case 'stop':
      return seat.say({ type: 'orderStop', copy: wish.copy.id })
    case 'required': {
      const wanted = [...wish.set.wanted.values()]
      return seat.require(
        wanted.map(({ name, digest, set: { priority } }) => ({ name, digest, priority })),
      )
    }
    default:
      return wish satisfies never
  }
}

function atLeastOne(rate: number): number {
  return Math.max(1, Math.floor(rate))
}

export function noteLine(note: MasterNote, network: Network): LogEntry {
  switch (note.about) {
    case 'failed':
    case 'retried': {
      const fields = { component: componentName(note.component, network) }
      const level = note.about === 'failed' ? 'warn' : 'info'
      return { level, event: `component-${note.about}`, fields }
    }
    case 'refused': {
      const text = 'what the node says of this content contradicts what is known of it'
      const fields = { node: note.node, name: note.name, text }
      return { level: 'warn', event: 'state-refused', fields }
    }
    case 'declined': {
      const { node, name, cause } = note
      return { level: 'warn', event: 'copy-declined', fields: { node, name, cause } }
    }
    case 'full': {
      const fields = { node: note.node, name: note.name, text: 'there is no room for it' }
      return { level: 'warn', event: 'node-full', fields }
    }
    default:
      return note satisfies never
  }
}

/** `node a`, `disk of a`, `uplink a`, `link x`. */
function componentName({ kind, id }: Component, network: Network): string {
  if (kind === 'node') return `node ${network.nodeName(id)}`
  if (kind === 'disk') return `disk of ${network.nodeName(id)}`
  const { kind: of, name } = network.resources.spec(id)
  return `${of} ${name}`
}
