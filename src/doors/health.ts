/**
 * `/healthz`: the process lives and answers. `/readyz`: it can do what it is there for; 503 where a
 * node has problems with its data directory, or another one of several masters leads. Anybody may
 * ask; why it is not ready is told to those with the right `status`.
 */
import type { ServerResponse } from 'node:http'
import type { Behind, Mount } from './mount.js'
import { notRead, sendText } from './problem.js'

export function healthMount(behind: Behind): Mount {
  return {
    handle(request, response, who) {
      const { url } = request
      if (url !== '/healthz' && url !== '/readyz') return false
      if (request.method !== 'GET' && request.method !== 'HEAD') throw notRead()
      const reasons = url === '/healthz' ? [] : problemsOf(behind)
      if (reasons.length === 0) answer(response, 200, { status: 'ok' })
      else {
        const why = who.rights('status') ? { reasons } : {}
        answer(response, 503, { status: 'not ready', ...why })
      }
      return true
    },
  }
}

function problemsOf(behind: Behind): readonly string[] {
  if ('node' in behind) return behind.node.status().problems
  const { leads, leader } = behind.master.status()
  if (leads) return []
  return [leader === null ? 'no master leads' : `another master leads: ${leader}`]
}

function answer(response: ServerResponse, status: number, said: object): void {
  sendText(response, status, `${JSON.stringify(said)}\n`, { 'content-type': 'application/json' })
}
