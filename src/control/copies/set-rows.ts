/** How far sets are: what their nodes lack, of which files, and what has no end. */
import { limits } from '../../base/limits.js'
import type { SetTold } from '../messages/told.js'
import type { Master, MasterMember } from './master.js'
import { namesTold } from './names-told.js'
import { unendedMs } from './unended.js'
import type { Version } from './versions.js'

interface Left {
  files: number
  bytes: number
}

interface Counted {
  nodes: number
  complete: number
  missingFiles: number
  missingBytes: number
  readonly unknown: Set<string>
  readonly contradictions: Map<string, string>
  /** What is left, by node. */
  readonly atNodes: Map<string, Left>
  /** The same by name of file: `files` counts nodes. */
  readonly ofFiles: Map<string, Left>
  readonly unended: Set<Version>
}

export function* setRows(master: Master, nowMs: number): Generator<SetTold> {
  const counted = new Map<string, Counted>()
  for (const { name } of master.sets)
    counted.set(name, {
      ...{ nodes: 0, complete: 0, missingFiles: 0, missingBytes: 0 },
      ...{ unknown: new Set(), contradictions: new Map(), unended: new Set() },
      ...{ atNodes: new Map(), ofFiles: new Map() },
    })
  for (const member of master.members.values()) if (member.isHere) countAt(member, master, counted)
  for (const { name, priority, files } of master.sets) {
    const of = counted.get(name) as Counted
    const { nodes, complete, missingFiles, missingBytes, unknown, contradictions } = of
    yield {
      ...{ event: 'set', set: name, priority, files: files.length },
      ...{ nodes, complete, missingFiles, missingBytes },
      leftAtNodes: mostLeft(of.atNodes).map(([node, { files: lacks, bytes }]) => {
        return { node, files: lacks, bytes }
      }),
      leftOfFiles: mostLeft(of.ofFiles).map(([file, { files: at, bytes }]) => {
        return { name: file, nodes: at, bytes }
      }),
      unknown: namesTold(unknown),
      unended: unendedOf(of.unended, master, nowMs),
      contradictions: namesTold(contradictions.keys()).map((file) => ({
        ...{ name: file, set: contradictions.get(file) as string },
      })),
    }
  }
}

function countAt(member: MasterMember, master: Master, counted: Map<string, Counted>): void {
  const lacks = new Map<string, Left>()
  for (const { name, digest, set } of member.set.wanted.values()) {
    const of = counted.get(set.name)
    if (of === undefined) continue
    const left = leftIn(lacks, set.name)
    const version = master.versions.find(name, digest)
    const held = version && master.scheduler.files.get(version.id)?.holders
    if (version !== undefined && held !== undefined && member.held.get(version.id) === null)
      continue
    const bytes = held === undefined ? 0 : held.size - held.bytesAt(member.id)
    if (held === undefined || held.count === 0) of.unknown.add(name)
    if (version?.isGrowing === true) of.unended.add(version)
    for (const one of [left, leftIn(of.ofFiles, name)]) {
      one.files += 1
      one.bytes += bytes
    }
  }
  for (const [set, left] of lacks) {
    const of = counted.get(set) as Counted
    of.nodes += 1
    of.missingFiles += left.files
    of.missingBytes += left.bytes
    if (left.files === 0) of.complete += 1
    else of.atNodes.set(member.name, left)
  }
  for (const { name, sets } of member.set.contradictions)
    counted.get(sets[1])?.contradictions.set(name, sets[0])
}

function leftIn(all: Map<string, Left>, name: string): Left {
  const known = all.get(name) ?? { files: 0, bytes: 0 }
  all.set(name, known)
  return known
}

/** Those with most left, so many that they fit a frame with what else is told. */
function mostLeft(all: ReadonlyMap<string, Left>): [string, Left][] {
  const sorted = [...all].sort(([, a], [, b]) => b.bytes - a.bytes || b.files - a.files)
  return sorted.slice(0, namesTold(sorted.map(([name]) => name)).length)
}

function unendedOf(versions: Iterable<Version>, master: Master, nowMs: number) {
  const quiet: SetTold['unended'][number][] = []
  for (const version of versions) {
    const ms = unendedMs(version, master, nowMs)
    if (ms === null || quiet.length === limits.masterNames) continue
    quiet.push({ name: version.name, bytes: version.size, seconds: ms / 1_000 })
  }
  const told = namesTold(quiet.map(({ name }) => name))
  return quiet.slice(0, told.length)
}
