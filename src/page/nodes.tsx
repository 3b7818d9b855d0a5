/** The nodes of a transfer as a table: sorted, searched, a page of rows at a time. */
import { useMemo, useState } from 'preact/hooks'
import { bytesText, countText, durationText, rateText, shareText } from './format.js'
import type { TransferModel } from './model.js'
import { Bar, Card, Empty, Scroll, Search, State, toneOf } from './parts.js'
import type { NodeOutcome, NodeProgress } from './told.js'

/** Rows that are in the document at once. */
export const pageRows = 50

interface Column {
  readonly title: string
  /** Less is earlier. */
  readonly order: (row: Row) => number | string
  readonly isMinor?: boolean
}

interface Row {
  readonly node: NodeProgress
  readonly outcome: NodeOutcome | undefined
}

const states = ['failed', 'refused', 'receiving', 'verifying', 'accepted', 'connecting', 'complete']

const columns: readonly Column[] = [
  { title: 'Node', order: ({ node }) => node.node },
  { title: 'State', order: ({ node }) => states.indexOf(node.state) },
  { title: 'Progress', order: ({ node }) => node.landedBytes },
  { title: 'In', order: ({ node }) => -node.rateBytesPerSecond },
  { title: 'Out', order: ({ node }) => -node.rateOutBytesPerSecond },
  { title: 'Relays', order: ({ node }) => -node.relayedShare, isMinor: true },
  { title: 'Queue', order: ({ node }) => -(node.queueBytes ?? 0), isMinor: true },
  { title: 'Left', order: ({ node }) => -(node.etaSeconds ?? 0), isMinor: true },
  { title: 'Waits for', order: ({ node }) => node.waitsFor ?? '', isMinor: true },
]

interface NodesProps {
  readonly one: TransferModel
  readonly marked: string | null
  readonly onMark: (name: string | null) => void
}

export function NodesTable({ one, marked, onMark }: NodesProps) {
  const [sorted, sort] = useState(0)
  const [wanted, want] = useState('')
  const [page, turn] = useState(0)
  const { progress, outcomes } = one
  const bytes = progress?.bytes ?? 0
  const rows = useMemo(() => {
    const order = columns[sorted]?.order ?? (() => 0)
    const found = (progress?.nodes ?? [])
      .filter(({ node, state }) => `${node} ${state}`.includes(wanted))
      .map((node) => ({ node, outcome: outcomes.get(node.node) }))
    return found
      .map((row) => [order(row), row] as const)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([, row]) => row)
  }, [progress, outcomes.size, sorted, wanted])
  const pages = Math.max(1, Math.ceil(rows.length / pageRows))
  const at = Math.min(page, pages - 1)
  const shown = rows.slice(at * pageRows, (at + 1) * pageRows)
  const all = progress?.nodes.length ?? 0
  return (
    <Card
      title="Nodes"
      aside={
        <Search
          label="Search nodes by address or state"
          hint="address or state"
          value={wanted}
          onChange={(text) => {
            want(text)
            turn(0)
          }}
        />
      }
    >
      <Scroll label="Nodes of the transfer">
        <table class="nodes">
          <thead>
            <tr>
              {columns.map(({ title, isMinor }, index) => (
                <th
                  key={title}
                  scope="col"
                  class={isMinor ? 'minor' : ''}
                  aria-sort={index === sorted ? 'ascending' : 'none'}
                >
                  <button type="button" class="plain" onClick={() => sort(index)}>
                    {title}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <NodeRow
                key={row.node.node}
                {...{ row, bytes, onMark }}
                isMarked={row.node.node === marked}
              />
            ))}
          </tbody>
        </table>
      </Scroll>
      {rows.length === 0 && <Empty>No node matches.</Empty>}
      <footer class="pager">
        <span>{`${rows.length.toLocaleString('en')} of ${countText(all, 'node')}`}</span>
        {pages > 1 && (
          <>
            <button type="button" class="quiet" disabled={at === 0} onClick={() => turn(at - 1)}>
              Previous
            </button>
            <span>{`page ${at + 1} of ${pages}`}</span>
            <button
              type="button"
              class="quiet"
              disabled={at === pages - 1}
              onClick={() => turn(at + 1)}
            >
              Next
            </button>
          </>
        )}
      </footer>
    </Card>
  )
}

interface RowProps {
  readonly row: Row
  readonly bytes: number
  readonly isMarked: boolean
  readonly onMark: (name: string | null) => void
}

function NodeRow({ row: { node, outcome }, bytes, isMarked, onMark }: RowProps) {
  const share = node.state === 'complete' || bytes === 0 ? 1 : node.landedBytes / bytes
  const notes = [
    ...(node.isDemoted ? ['relays nothing for now'] : []),
    ...(node.isLagging ? ['lags'] : []),
    ...(node.isCatchingUp ? ['catches up'] : []),
  ]
  const why = outcome?.reason ?? node.waitsFor ?? (notes.length > 0 ? notes.join(', ') : '–')
  return (
    <tr
      id={`node ${node.node}`}
      tabIndex={-1}
      class={isMarked ? 'marked' : ''}
      onPointerEnter={() => onMark(node.node)}
      onPointerLeave={() => onMark(null)}
      onFocus={() => onMark(node.node)}
      onBlur={() => onMark(null)}
    >
      <th scope="row">{node.node}</th>
      <td>
        <State state={node.state} />
      </td>
      <td class="with-bar">
        <Bar label={`Progress of ${node.node}`} share={share} tone={toneOf(node.state)} />
        <span>{shareText(share)}</span>
      </td>
      <td>{rateText(node.rateBytesPerSecond)}</td>
      <td>{rateText(node.rateOutBytesPerSecond)}</td>
      <td class="minor">{node.relayedShare === 0 ? '–' : shareText(node.relayedShare)}</td>
      <td class="minor">{bytesText(node.queueBytes)}</td>
      <td class="minor">{durationText(node.etaSeconds)}</td>
      <td class={outcome?.code ? 'why' : 'minor'}>{why}</td>
    </tr>
  )
}
