/** Questions of a client to a master, and its answers. */

/** What rows are asked for: each is an object of messages/told.ts. */
export const masterSubjects = [
  'sets',
  'nodes',
  'plan',
  'links',
  'components',
  'explain',
  'audit',
  'changes',
] as const

export type MasterSubject = (typeof masterSubjects)[number]

export type MasterAsked =
  | {
      readonly type: 'askMaster'
      readonly about: MasterSubject
      /** `explain`: of this node. Null: of all. */
      readonly node: string | null
      /** `explain`, `plan`: of this file; `changes`: of this upload. Null: of all. */
      readonly name: string | null
      /** Rows that were told before. */
      readonly at: number
    }
  /** `json`: a part of a text, {sets: [..]} as of protocol/file-sets.ts. */
  | {
      readonly type: 'giveSets'
      /** 32 hex digits, drawn at random for each text. */
      readonly upload: string
      /** UTF-16 units that were given before. */
      readonly at: number
      readonly json: string
      readonly isLast: boolean
      /** Sets that are not among them go. */
      readonly isPruned: boolean
      /** Nothing is changed: the changes can be asked for. */
      readonly isDry: boolean
    }
  | { readonly type: 'drain'; readonly node: string; readonly isDrained: boolean }

export type MasterAnswer =
  | {
      readonly type: 'masterRows'
      /** Each an object in JSON. */
      readonly rows: readonly string[]
      /** Null: there are no more. */
      readonly next: number | null
    }
  /** `isKept`: it survives the master; false: its disk takes nothing. */
  | { readonly type: 'setsGiven'; readonly at: number; readonly isKept: boolean }
  /** `copies`: that are stopped or let go by that. */
  | { readonly type: 'drained'; readonly copies: number; readonly isKept: boolean }
