/** The page of a master: sites and copies, links and budgets, sets, nodes, what has failed. */
import { useEffect, useMemo, useState } from 'preact/hooks'
import { type Api, type Connection, pause, textOf } from './api.js'
import type { FlowGroup, FlowNode, Flows } from './flows.js'
import { bytesText, countText, durationText, rateText, shareText } from './format.js'
import {
  Bar,
  Card,
  Empty,
  FaultList,
  Figure,
  Heads,
  Notice,
  Scroll,
  Search,
  State,
} from './parts.js'
import { Shell, useRoute } from './shell.js'
import { Store, useStore, useTask } from './store.js'
import type {
  ComponentTold,
  MasterStatus,
  NodeTold,
  PlanTold,
  ResourceTold,
  SetTold,
} from './told.js'
import { Topology } from './topology.js'

const views = [
  { path: '', title: 'Live' },
  { path: 'sets', title: 'Sets' },
  { path: 'nodes', title: 'Nodes' },
]
const askEveryMs = 2_000
const rowsMax = 1_000
const rowsShown = 200
/** Copies that are drawn. */
const edgesMax = 2_000

class MasterModel extends Store {
  readonly api: Api
  connection: Connection = 'connecting'
  status: MasterStatus | null = null
  sets: readonly SetTold[] = []
  nodes: readonly NodeTold[] = []
  links: readonly ResourceTold[] = []
  components: readonly ComponentTold[] = []
  plan: readonly PlanTold[] = []
  fault: string | null = null

  constructor(api: Api) {
    super()
    this.api = api
  }

  run(signal: AbortSignal): void {
    const event = (name: string, data: unknown): void => {
      if (name === 'status') this.status = data as MasterStatus
      this.changed()
    }
    const connection = (state: Connection): void => {
      this.connection = state
      this.changed()
    }
    void this.api.watch('/master/events', { event, connection }, signal)
    void this.#ask(signal)
  }

  async #ask(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.api.wanted === null && !document.hidden) await this.#rows(signal)
      await pause(askEveryMs, signal)
    }
  }

  async #rows(signal: AbortSignal): Promise<void> {
    const get = async <T,>(path: string): Promise<readonly T[]> =>
      (await this.api.get<{ items: T[] }>(`${path}?limit=${rowsMax}`, signal)).items
    try {
      this.links = await get('/links')
      this.nodes = await get('/nodes')
      this.sets = await get('/sets')
      this.components = await get('/components')
      this.plan = await get('/plan')
      this.fault = null
    } catch (error) {
      if (signal.aborted) return
      this.fault = textOf(error)
    }
    this.changed()
  }
}

export function MasterPage({ api }: { readonly api: Api }) {
  const model = useMemo(() => new MasterModel(api), [api])
  useStore(model)
  useTask((signal) => model.run(signal), [model])
  const [at = ''] = useRoute()
  const { status, connection } = model
  const leads = status?.leads === false ? `, ${status.leader ?? 'nobody'} leads` : ''
  const about =
    status === null
      ? ''
      : `master · ${status.version} · up ${durationText(Math.floor(status.uptimeSeconds))}${leads}`
  return (
    <Shell {...{ api, connection, views, at, about }} name={status?.master ?? ''}>
      {model.fault !== null && <Notice tone="bad">{model.fault}</Notice>}
      {status === null ? (
        <Empty>Waiting for the master…</Empty>
      ) : at === 'sets' ? (
        <SetsCard sets={model.sets} />
      ) : at === 'nodes' ? (
        <NodesCard model={model} />
      ) : (
        <Live model={model} status={status} />
      )}
    </Shell>
  )
}

interface LiveProps {
  readonly model: MasterModel
  readonly status: MasterStatus
}

function Live({ model, status }: LiveProps) {
  const { sets, links, components, plan } = model
  const [marked, setMarked] = useState<string | null>(null)
  const flows = useMemo(() => flowsOfSites(model.nodes, plan), [model.nodes, plan])
  const missing = sets.reduce((sum, { missingBytes }) => sum + missingBytes, 0)
  const copies = plan.filter((row) => row.event === 'copy')
  const here = model.nodes.filter(({ isHere }) => isHere).length
  return (
    <>
      <h1 class="unseen">Live</h1>
      <dl class="figures">
        <Figure
          title="Nodes"
          value={`${here}`}
          note={`of ${model.nodes.length} that ever joined`}
        />
        <Figure
          title="Sets"
          value={`${status.sets}`}
          note={countText(status.contents, 'content')}
        />
        <Figure title="Copies" value={`${status.copies}`} />
        <Figure title="Missing" value={bytesText(missing)} />
      </dl>
      <Card title="Sites and copies">
        {model.nodes.length === 0 ? (
          <Empty>No node has joined yet.</Empty>
        ) : (
          <Topology
            {...{ flows, marked }}
            label={`${countText(copies.length, 'copy', 'copies')} between nodes; listed below`}
            onMark={setMarked}
            onPick={() => {}}
          />
        )}
      </Card>
      <LinksCard links={links} />
      <CopiesCard copies={copies} />
      {components.length > 0 && (
        <Card title="Held against nodes, disks and links">
          <FaultList faults={components} />
        </Card>
      )}
    </>
  )
}

/** Nodes by their sites; an edge is what one copies from another now. */
function flowsOfSites(nodes: readonly NodeTold[], plan: readonly PlanTold[]): Flows {
  const shown: FlowNode[] = [
    {
      ...{ name: 'master', state: 'origin', share: 1, isFaulty: false },
      ...{ inBytesPerSecond: 0, outBytesPerSecond: 0 },
    },
  ]
  const sites = new Map<string, number[]>()
  const indexOf = new Map<string, number>()
  const ins = new Map<string, number>()
  const outs = new Map<string, number>()
  const copies = plan.filter((row) => row.event === 'copy').slice(0, edgesMax)
  for (const { source, target, bytesPerSecond } of copies) {
    outs.set(source, (outs.get(source) ?? 0) + (bytesPerSecond ?? 0))
    ins.set(target, (ins.get(target) ?? 0) + (bytesPerSecond ?? 0))
  }
  for (const { node, site, isHere, isDrained, missing, wanted } of nodes) {
    indexOf.set(node, shown.length)
    sites.set(site, [...(sites.get(site) ?? []), shown.length])
    shown.push({
      name: node,
      state: !isHere ? 'failed' : missing === 0 ? 'complete' : 'receiving',
      share: wanted === 0 ? 1 : 1 - missing / wanted,
      inBytesPerSecond: ins.get(node) ?? 0,
      outBytesPerSecond: outs.get(node) ?? 0,
      isFaulty: isDrained,
    })
  }
  const groups: FlowGroup[] = [...sites].map(([site, own]) => ({ nodes: own, parent: null, site }))
  const edges = copies.flatMap(({ source, target, bytesPerSecond }) => {
    const [from, to] = [indexOf.get(source), indexOf.get(target)]
    if (from === undefined || to === undefined) return []
    // One without a cap runs as well.
    return [{ from, to, bytesPerSecond: bytesPerSecond ?? 1, isFailed: false }]
  })
  return { nodes: shown, groups, edges }
}

function LinksCard({ links }: { readonly links: readonly ResourceTold[] }) {
  return (
    <Card title="Links">
      {links.length === 0 ? (
        <Empty>The topology names no links.</Empty>
      ) : (
        <Scroll label="Links with their budgets">
          <table>
            <Heads
              titles={['Link', 'Used of what it may', 'Used', 'Given', 'May', 'Carried', 'Cost']}
              minor={['Carried', 'Cost']}
            />
            <tbody>
              {links.slice(0, rowsShown).map((link) => (
                <LinkRow key={`${link.kind} ${link.name}`} link={link} />
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </Card>
  )
}

function LinkRow({ link }: { readonly link: ResourceTold }) {
  const { kind, name, capabilityBytesPerSecond: may, isFailed } = link
  const used = link.usedBytesPerSecond
  const share = may === null || may === 0 ? null : Math.min(1, used / may)
  return (
    <tr>
      <th scope="row">
        {name}
        <small>{` ${kind}`}</small>
        {isFailed && <State state="failed" />}
      </th>
      <td class="with-bar">
        <Bar label={`Used of ${name}`} share={share} tone={(share ?? 0) > 0.9 ? 'warn' : 'busy'} />
        <span>{shareText(share)}</span>
      </td>
      <td>{rateText(used)}</td>
      <td>{rateText(link.allocatedBytesPerSecond)}</td>
      <td>{may === null ? 'no limit' : rateText(may)}</td>
      <td class="minor">{bytesText(link.bytes)}</td>
      <td class="minor">{link.cost === 0 ? '–' : link.cost.toFixed(2)}</td>
    </tr>
  )
}

type CopyTold = Extract<PlanTold, { readonly event: 'copy' }>

function CopiesCard({ copies }: { readonly copies: readonly CopyTold[] }) {
  if (copies.length === 0) return null
  return (
    <Card title="Copies that run">
      <Scroll label="Copies that run">
        <table>
          <Heads titles={['File', 'From', 'To', 'Bytes', 'At most']} />
          <tbody>
            {copies.slice(0, rowsShown).map(({ copy, name, source, target, range, ...one }) => (
              <tr key={copy}>
                <th scope="row">{name}</th>
                <td>{source}</td>
                <td>{target}</td>
                <td>{bytesText(range[1])}</td>
                <td>{one.bytesPerSecond === null ? 'no cap' : rateText(one.bytesPerSecond)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </Card>
  )
}

function SetsCard({ sets }: { readonly sets: readonly SetTold[] }) {
  return (
    <Card title="Sets" class="only">
      <h1 class="unseen">Sets</h1>
      {sets.length === 0 && <Empty>The master has no sets.</Empty>}
      <ul class="list">
        {sets.slice(0, rowsShown).map((one) => (
          <li key={one.set} class="row">
            <span class="row-name">{one.set}</span>
            <State state={one.complete === one.nodes ? 'complete' : 'running'} />
            <span class="row-note">
              {`${countText(one.files, 'file')}, complete at ${one.complete} of ` +
                `${countText(one.nodes, 'node')}, ${bytesText(one.missingBytes)} missing`}
              {one.unknown.length > 0 && `; nobody holds ${one.unknown.slice(0, 3).join(', ')}`}
            </span>
            <Bar
              label={`Nodes that have all of ${one.set}`}
              share={one.nodes === 0 ? 1 : one.complete / one.nodes}
            />
          </li>
        ))}
      </ul>
    </Card>
  )
}

function NodesCard({ model: { nodes, api } }: { readonly model: MasterModel }) {
  const [wanted, want] = useState('')
  const [said, say] = useState<string | null>(null)
  const found = nodes.filter(({ node, site }) => `${node} ${site}`.includes(wanted))
  useEffect(() => say(null), [wanted])
  const drain = async (node: string, isDrained: boolean): Promise<void> => {
    try {
      await api.send('PUT', `/nodes/${encodeURIComponent(node)}/drained`, { isDrained })
      say(`${node} is ${isDrained ? 'drained' : 'used again'}.`)
    } catch (error) {
      say(textOf(error))
    }
  }
  return (
    <Card
      title="Nodes"
      aside={
        <Search
          label="Search nodes by name or site"
          hint="name or site"
          value={wanted}
          onChange={want}
        />
      }
      class="only"
    >
      <h1 class="unseen">Nodes</h1>
      {said !== null && <Notice tone="plain">{said}</Notice>}
      <Scroll label="Nodes of the master">
        <table>
          <Heads
            titles={['Node', 'Site', 'State', 'Holds', 'Missing', 'Free']}
            minor={['Free']}
            hasActions
          />
          <tbody>
            {found.slice(0, rowsShown).map((one) => (
              <tr key={one.node}>
                <th scope="row">{one.node}</th>
                <td>{one.site}</td>
                <td>
                  <State state={one.isHere ? (one.isDrained ? 'drained' : 'here') : 'away'} />
                </td>
                <td>{countText(one.files, 'file')}</td>
                <td>
                  {one.missing === 0
                    ? '–'
                    : `${countText(one.missing, 'file')}, ${bytesText(one.missingBytes)}`}
                </td>
                <td class="minor">{bytesText(one.freeBytes)}</td>
                <td class="actions">
                  <button
                    type="button"
                    class="quiet"
                    onClick={() => void drain(one.node, !one.isDrained)}
                  >
                    {one.isDrained ? 'Use again' : 'Drain'}
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      <p class="hint">
        {`${Math.min(found.length, rowsShown)} of ${countText(nodes.length, 'node')}`}
      </p>
    </Card>
  )
}
