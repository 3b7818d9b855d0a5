/** One transfer in full: how far it is, against the bound; who sends to whom; each node. */
import { useMemo, useState } from 'preact/hooks'
import { textOf } from './api.js'
import { Chart } from './chart.js'
import { bytesText, clockText, countText, durationText, shareText } from './format.js'
import { type NodeModel, TransferModel } from './model.js'
import { NodesTable } from './nodes.js'
import { Bar, Card, Empty, FaultList, Figure, Notice, State, toneOf } from './parts.js'
import { useStore, useTask } from './store.js'
import { Topology } from './topology.js'

interface TransferProps {
  readonly model: NodeModel
  readonly id: string
}

export function TransferView({ model, id }: TransferProps) {
  const one = useMemo(() => new TransferModel(id), [id])
  useStore(one)
  useTask((signal) => one.watch(model.api, signal), [one])
  const [marked, setMarked] = useState<string | null>(null)
  const { summary, plan } = one
  const listed = model.transfers.find((each) => each.id === id) ?? summary
  if (summary === null && one.here === null) {
    const over = listed !== null && listed !== undefined && listed.state !== 'running'
    return <Card title="Transfer">{over ? <Ended one={one} /> : <Empty>Asking…</Empty>}</Card>
  }
  const name = summary?.name ?? one.here?.name ?? ''
  const flows = one.flows(model.status?.node ?? '')
  const failed = flows.nodes.filter(({ state }) => state === 'failed' || state === 'refused')
  const complete = flows.nodes.filter(({ state }) => state === 'complete').length
  const count = flows.nodes.length - 1
  const label =
    `Who sends to whom: ${countText(count, 'node')}, ${complete} complete, ` +
    `${failed.length} failed. The table of nodes has the same.`
  return (
    <>
      <Card
        title={name}
        aside={
          <span class="card-aside">
            {summary !== null && <State state={summary.state} />}
            <Cancel model={model} one={one} />
          </span>
        }
        class="transfer"
      >
        <Headline one={one} />
        <Ended one={one} />
        {count > 0 && (
          <Topology
            {...{ flows, label, marked }}
            onMark={setMarked}
            onPick={(node) => document.getElementById(`node ${node}`)?.focus()}
          />
        )}
        {plan !== null && <Legend />}
      </Card>
      {one.history.length > 1 && (
        <Card title="Rates of this transfer">
          <Chart
            history={one.history}
            names={['lands at all nodes', 'leaves the origin']}
            label="Rates of this transfer"
          />
        </Card>
      )}
      <Faults one={one} />
      {one.progress !== null && <NodesTable {...{ one, marked }} onMark={setMarked} />}
    </>
  )
}

function Headline({ one }: { readonly one: TransferModel }) {
  const { plan, progress, summary, here } = one
  const state = summary?.state ?? 'running'
  const share = progress?.share ?? summary?.share ?? (here && shareHere(here))
  const seconds = one.result?.seconds ?? progress?.seconds ?? null
  const bound = plan?.boundSeconds ?? null
  const boundShare =
    bound === null || bound === 0 || seconds === null || one.isOver ? null : seconds / bound
  const left = leftSeconds(one)
  const efficiency = one.result?.efficiency ?? progress?.efficiency ?? null
  const shownShare = state === 'complete' ? 1 : (share ?? null)
  return (
    <>
      <Bar
        label={`Progress of ${summary?.name ?? here?.name}`}
        share={shownShare}
        bound={boundShare}
        tone={toneOf(state)}
      />
      <dl class="figures small">
        <Figure
          title="Progress"
          value={shareText(shownShare)}
          note={`of ${bytesText(progress?.totalBytes ?? summary?.bytes ?? here?.bytes)}`}
        />
        <Figure
          title={one.isOver ? 'Took' : 'Runs for'}
          value={durationText(seconds)}
          {...(bound !== null && { note: `bound ${durationText(bound)}` })}
        />
        <Figure
          title={one.isOver ? 'Ended' : 'Predicted end'}
          value={endText(one, left)}
          {...(left !== null && !one.isOver && { note: `in ${durationText(left)}` })}
        />
        <Figure
          title="Of the bound"
          value={efficiency === null ? '–' : shareText(efficiency)}
          {...(plan?.limiting && { note: `limited by ${plan.limiting}` })}
        />
        {plan !== null && (
          <Figure
            title="Shape"
            value={plan.shape}
            note={`${plan.strategy}, ${countText(plan.groups.length, 'group')}`}
          />
        )}
        {here !== null && plan === null && (
          <Figure title="This node" value={here.role} note={here.waitsFor ?? 'waits for nothing'} />
        )}
      </dl>
    </>
  )
}

function shareHere({ bytes, landedBytes }: { bytes: number; landedBytes: number }): number {
  return bytes === 0 ? 1 : landedBytes / bytes
}

/** Until the last node has all, as the nodes predict, else as the plan did; null: nobody knows. */
function leftSeconds({ progress, plan, here, isOver }: TransferModel): number | null {
  if (isOver) return null
  const etas = (progress?.nodes ?? []).map(({ etaSeconds }) => etaSeconds ?? 0)
  const most = Math.max(0, ...etas, here?.etaSeconds ?? 0)
  if (most > 0) return most
  if (plan?.predictedSeconds == null || progress === null) return null
  return Math.max(0, plan.predictedSeconds - progress.seconds)
}

function endText({ summary, isOver }: TransferModel, left: number | null): string {
  if (isOver) return summary?.endedAt ? clockText(new Date(summary.endedAt)) : '–'
  return left === null ? '–' : clockText(new Date(Date.now() + left * 1000))
}

function Ended({ one }: { readonly one: TransferModel }) {
  const { summary, result, ended } = one
  const warnings = result?.warnings ?? []
  return (
    <>
      {summary?.problem != null && (
        <Notice tone="bad">{`${summary.problem.code}: ${summary.problem.detail}`}</Notice>
      )}
      {ended?.reason != null && (
        <Notice tone="bad">{`${ended.code ?? 'ended'}: ${ended.reason}`}</Notice>
      )}
      {warnings.map((text) => (
        <Notice key={text} tone="warn">
          {text}
        </Notice>
      ))}
    </>
  )
}

function Legend() {
  const states = ['origin', 'receiving', 'complete', 'slow or faulty', 'failed'] as const
  return (
    <ul class="legend" aria-label="Colours of nodes">
      {states.map((state) => (
        <li key={state} class={`dot-${state.split(' ')[0]}`}>
          {state}
        </li>
      ))}
      <li class="hint">Rates along edges are estimated from what nodes receive and send.</li>
    </ul>
  )
}

function Faults({ one }: { readonly one: TransferModel }) {
  const faults = one.result?.faults ?? one.progress?.faults ?? one.here?.faults ?? []
  if (faults.length === 0) return null
  return (
    <Card title="Held against nodes, links and disks">
      <FaultList faults={faults} />
    </Card>
  )
}

function Cancel({ model, one }: { readonly model: NodeModel; readonly one: TransferModel }) {
  const [said, say] = useState<string | null>(null)
  const { summary } = one
  if (summary === null || summary.kind === 'other' || summary.state !== 'running') return null
  const cancel = async (): Promise<void> => {
    say('…')
    try {
      await model.api.send('DELETE', `/transfers/${one.id}`)
      say(null)
    } catch (error) {
      say(textOf(error))
    }
  }
  return (
    <>
      {said !== null && <span role="status">{said}</span>}
      <button type="button" class="quiet" onClick={() => void cancel()}>
        Cancel
      </button>
    </>
  )
}
