/**
 * Reports of a group, summed by its leader: where the plan names another node to report to, this
 * node sends it what it would send the coordinator; where mates do so here, they are passed on
 * together with this node's own, the newest of each.
 *
 * The idea: a coordinator of thousands hears each group a few times a second. The leader adds
 * nothing of its own and leaves nothing out, so what the coordinator decides from is as exact as
 * before. A node reports to the coordinator itself until its link to the leader is open, once that
 * is gone, and with its last report. A leader that has nothing new says so: that is how the
 * coordinator sees that it leads.
 */
import { limits } from '../../base/limits.js'
import {
  type BacklogFrame,
  type Frame,
  type GroupReport,
  type MateBytes,
  originNumber,
  type PlanFrame,
  type ProgressFrame,
} from '../messages/types.js'

type Report = ProgressFrame | BacklogFrame

export function isReport(frame: Frame): frame is Report {
  return frame.type === 'progress' || frame.type === 'backlog'
}

export class GroupReports {
  #you = 0
  #leader: number | undefined
  #isOpen = false
  readonly #rows = new Map<number, Omit<GroupReport, 'member'>>()
  #dueMs = Number.POSITIVE_INFINITY
  /** Until when somebody is expected to report here. */
  #leadsMs = Number.NEGATIVE_INFINITY

  /** Follows a plan. `isLinked`: a link to the leader is open. The result is to be linked. */
  planned(
    { you, coordinator, reportTo }: PlanFrame,
    isLinked: (member: number) => boolean,
  ): number | undefined {
    this.#you = you
    const leader = reportTo === coordinator || reportTo === you ? undefined : reportTo
    if (leader === this.#leader) return undefined
    this.#leader = leader
    this.#isOpen = leader !== undefined && isLinked(leader)
    return this.#isOpen ? undefined : leader
  }

  linked(member: number): void {
    if (member === this.#leader) this.#isOpen = true
  }

  unlinked(member: number): void {
    if (member === this.#leader) this.#isOpen = false
  }

  /**
   * To whom a report of this node goes: nobody where it is passed on with those of the group.
   * `isLast`: the coordinator is to have it before the next frame.
   */
  route(frame: Report, isLast: boolean, nowMs: number): number[] {
    if (isLast || (this.#leader === undefined && nowMs >= this.#leadsMs)) return [originNumber]
    if (this.#leader !== undefined) return [this.#isOpen ? this.#leader : originNumber]
    this.take(this.#you, frame, nowMs)
    return []
  }

  /** A mate's report, or this node's own. */
  take(member: number, frame: Report, nowMs: number): void {
    if (member !== this.#you) this.#leadsMs = nowMs + limits.suspectMs
    if (this.#dueMs === Number.POSITIVE_INFINITY) this.#dueMs = nowMs + limits.groupReportMs
    const { progress = null, backlog = null } = this.#rows.get(member) ?? {}
    if (frame.type === 'backlog') this.#rows.set(member, { progress, backlog: frame })
    else this.#rows.set(member, { progress: merged(progress, frame), backlog })
  }

  get dueMs(): number {
    return this.#dueMs
  }

  /** What is due. */
  advance(nowMs: number): Frame[] {
    if (nowMs < this.#dueMs) return []
    const of = [...this.#rows].sort(([a], [b]) => a - b)
    this.#rows.clear()
    const isLeading = nowMs < this.#leadsMs
    this.#dueMs = isLeading ? nowMs + limits.groupReportMs : Number.POSITIVE_INFINITY
    return [{ type: 'reports', of: of.map(([member, row]) => ({ member, ...row })) }]
  }
}

/** The newest, with what the one before said of mates that the newest does not name. */
function merged(before: GroupReport['progress'], frame: ProgressFrame): ProgressFrame {
  if (before === null) return frame
  return { ...frame, received: joined(before.received, frame.received) }
}

function joined(before: readonly MateBytes[], now: readonly MateBytes[]): MateBytes[] {
  const all = new Map([...before, ...now].map(({ member, bytes }) => [member, bytes]))
  // Those who say more mates than a plan has are no mates of ours.
  const members = [...all.keys()].slice(0, limits.membersPerPlan).sort((a, b) => a - b)
  return members.map((member) => ({ member, bytes: all.get(member) as number }))
}
