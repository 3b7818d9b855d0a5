/** Small pieces that views are made of. */
import type { ComponentChildren } from 'preact'
import { durationText, shareText } from './format.js'

interface BarProps {
  readonly label: string
  /** 0 to 1; null: nobody knows. */
  readonly share: number | null
  /** Where the bound would be now, 0 to 1. */
  readonly bound?: number | null
  readonly tone?: string
}

export function Bar({ label, share, bound = null, tone = 'busy' }: BarProps) {
  const percent = Math.round((share ?? 0) * 1000) / 10
  return (
    <div
      class={`bar ${tone}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      {...(share !== null && { 'aria-valuenow': percent, 'aria-valuetext': shareText(share) })}
    >
      <span class="bar-fill" style={{ width: `${percent}%` }} />
      {bound !== null && (
        <span
          class="bar-bound"
          style={{ left: `${Math.min(100, bound * 100)}%` }}
          title="where nothing could be further by now"
        />
      )}
    </div>
  )
}

const tones: Readonly<Record<string, string>> = {
  complete: 'good',
  held: 'good',
  failed: 'bad',
  refused: 'bad',
  partial: 'warn',
  cancelled: 'warn',
  changed: 'warn',
  missing: 'bad',
  running: 'busy',
  receiving: 'busy',
  verifying: 'busy',
  growing: 'busy',
}

export function toneOf(state: string): string {
  return tones[state] ?? 'plain'
}

export function State({ state }: { readonly state: string }) {
  return <span class={`state ${toneOf(state)}`}>{state}</span>
}

interface FigureProps {
  readonly title: string
  readonly value: string
  readonly note?: string
  readonly tone?: string
}

export function Figure({ title, value, note, tone = '' }: FigureProps) {
  return (
    <div class={`figure ${tone}`}>
      <dt>{title}</dt>
      <dd>
        <strong>{value}</strong>
        {note !== undefined && <small>{note}</small>}
      </dd>
    </div>
  )
}

interface CardProps {
  readonly title: string
  readonly aside?: ComponentChildren
  readonly children: ComponentChildren
  readonly class?: string
}

export function Card({ title, aside, children, class: more = '' }: CardProps) {
  return (
    <section class={`card ${more}`} aria-label={title}>
      <header class="card-head">
        <h2>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  )
}

interface HeadsProps {
  readonly titles: readonly string[]
  /** Those that narrow screens go without. */
  readonly minor?: readonly string[]
  /** A last column of buttons, whose title nobody has to see. */
  readonly hasActions?: boolean
}

export function Heads({ titles, minor = [], hasActions = false }: HeadsProps) {
  return (
    <thead>
      <tr>
        {titles.map((title) => (
          <th key={title} scope="col" class={minor.includes(title) ? 'minor' : ''}>
            {title}
          </th>
        ))}
        {hasActions && (
          <th scope="col">
            <span class="unseen">What can be done</span>
          </th>
        )}
      </tr>
    </thead>
  )
}

/** A table that scrolls by itself where it is wider than the screen. */
export function Scroll({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: else no key scrolls it
    <section class="scroll" aria-label={label} tabIndex={0}>
      {children}
    </section>
  )
}

export function Empty({ children }: { readonly children: ComponentChildren }) {
  return <p class="empty">{children}</p>
}

export function Notice({ tone, children }: { tone: string; children: ComponentChildren }) {
  return (
    <p class={`notice ${tone}`} role={tone === 'bad' ? 'alert' : 'status'}>
      {children}
    </p>
  )
}

interface SearchProps {
  /** For who does not see it. */
  readonly label: string
  readonly hint: string
  readonly value: string
  readonly onChange: (text: string) => void
}

export function Search({ label, hint, value, onChange }: SearchProps) {
  return (
    <label class="search">
      <span class="unseen">{label}</span>
      <input
        type="search"
        placeholder={hint}
        value={value}
        onInput={({ currentTarget }) => onChange(currentTarget.value)}
      />
    </label>
  )
}

interface Fault {
  readonly kind: string
  readonly name: string
  /** Where a link leads. */
  readonly to?: string | null
  readonly causes: readonly { readonly cause: string; readonly count: number }[]
  readonly isFailed: boolean
  readonly retrySeconds: number | null
}

/** What is held against components, and when those that are left out are tried again. */
export function FaultList({ faults }: { readonly faults: readonly Fault[] }) {
  return (
    <ul class="list">
      {faults.map(({ kind, name, to = null, causes, isFailed, retrySeconds }) => (
        <li key={`${kind} ${name} ${to}`} class="row">
          <span class="row-name">{`${kind} ${name}${to === null ? '' : ` → ${to}`}`}</span>
          {isFailed && <span class="state bad">left out</span>}
          <span class="row-note">
            {causes.map(({ cause, count }) => `${cause} × ${count}`).join(', ')}
            {retrySeconds !== null && `, tried again in ${durationText(retrySeconds)}`}
          </span>
        </li>
      ))}
    </ul>
  )
}
