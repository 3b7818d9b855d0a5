/** What a node does now: its figures, what is wrong, its transfers, and one of them in full. */
import { Chart } from './chart.js'
import { bytesText, countText, rateText, shareText } from './format.js'
import type { NodeModel } from './model.js'
import { Bar, Card, Empty, Figure, Notice, State, toneOf } from './parts.js'
import type { NodeStatus, TransferSummary } from './told.js'
import { TransferView } from './transfer.js'

interface LiveProps {
  readonly model: NodeModel
  /** Id of the transfer that somebody has chosen. */
  readonly wanted: string | null
}

const listed = 12

export function LiveView({ model, wanted }: LiveProps) {
  const { status, transfers, fault } = model
  if (fault !== null) return <Notice tone="bad">{fault}</Notice>
  if (status === null) return <Empty>Waiting for the node…</Empty>
  const shown = transfers.find(({ id }) => id === wanted) ?? transfers[0]
  return (
    <>
      <h1 class="unseen">Live</h1>
      <Problems status={status} />
      <dl class="figures">
        <Figure title="In" value={rateText(status.rates.inBytesPerSecond)} tone="in" />
        <Figure title="Out" value={rateText(status.rates.outBytesPerSecond)} tone="out" />
        <Figure
          title="Holds"
          value={bytesText(status.held.bytes)}
          note={countText(status.held.files, 'file')}
        />
        <Figure title="Free" value={bytesText(status.freeBytes)} note={limitsOf(status)} />
      </dl>
      <div class="columns">
        <Card title="Rates of this node">
          <Chart history={model.history} names={['in', 'out']} label="Rates of this node" />
        </Card>
        <Card title="Transfers" aside={<a href="#/send">Send something</a>} class="transfers">
          {transfers.length === 0 ? (
            <Empty>Nothing moves here, and nothing has lately.</Empty>
          ) : (
            <ul class="list">
              {transfers.slice(0, listed).map((one) => (
                <Row key={one.id} one={one} isShown={one.id === shown?.id} />
              ))}
            </ul>
          )}
          {transfers.length > listed && (
            <p class="hint">{`${transfers.length - listed} more are not listed.`}</p>
          )}
        </Card>
      </div>
      {shown !== undefined && <TransferView key={shown.id} model={model} id={shown.id} />}
      <Pulls status={status} />
    </>
  )
}

function Row({ one, isShown }: { readonly one: TransferSummary; readonly isShown: boolean }) {
  const { id, name, state, share, bytes, kind } = one
  return (
    <li>
      <a
        class="row"
        href={`#/transfers/${id}`}
        {...(isShown && { 'aria-current': 'true' as const })}
      >
        <span class="row-name">{name}</span>
        <State state={state} />
        <span class="row-note">
          {`${kind} · ${bytesText(bytes)}${state === 'running' ? ` · ${shareText(share)}` : ''}`}
        </span>
        {state === 'running' && (
          <Bar label={`Progress of ${name}`} share={share} tone={toneOf(state)} />
        )}
      </a>
    </li>
  )
}

function limitsOf({ limits }: NodeStatus): string {
  const { upBytesPerSecond, downBytesPerSecond } = limits
  const parts = [
    ...(upBytesPerSecond === null ? [] : [`up ${rateText(upBytesPerSecond)}`]),
    ...(downBytesPerSecond === null ? [] : [`down ${rateText(downBytesPerSecond)}`]),
  ]
  return parts.length === 0 ? 'no limits' : `limited: ${parts.join(', ')}`
}

function Problems({ status }: { readonly status: NodeStatus }) {
  const { problems, lastError, directory, master } = status
  const warnings = [
    ...(directory.fault !== null && directory.parent !== null
      ? [`directory: ${directory.fault}`]
      : []),
    ...(master?.fault ? [`master ${master.address}: ${master.fault}`] : []),
  ]
  return (
    <>
      {problems.map((text) => (
        <Notice key={text} tone="bad">
          {text}
        </Notice>
      ))}
      {lastError !== null && (
        <Notice tone="warn">
          {`Last error of the disk: ${lastError.code}: ${lastError.text}`}
        </Notice>
      )}
      {warnings.map((text) => (
        <Notice key={text} tone="warn">
          {text}
        </Notice>
      ))}
    </>
  )
}

function Pulls({ status: { pulls } }: { readonly status: NodeStatus }) {
  if (pulls.length === 0) return null
  return (
    <Card title="Pulled by announcements">
      <ul class="list">
        {pulls.map(({ name, contentId, bytes, hereBytes, sources, holders, reason }) => (
          <li key={contentId} class="row">
            <span class="row-name">{name}</span>
            <span class="row-note">
              {reason ?? `from ${countText(sources, 'node')} of ${holders} that have some`}
            </span>
            <Bar label={`Progress of ${name}`} share={bytes === 0 ? 1 : hereBytes / bytes} />
          </li>
        ))}
      </ul>
    </Card>
  )
}
