/** The page of a door: what is where, what moves, what is wrong, and what may be begun. */
import { render } from 'preact'
import { Api } from './api.js'
import { MasterPage } from './master.js'
import { NodePage } from './node.js'
import { applyTheme } from './theme.js'

applyTheme()
const root = document.getElementById('page')
if (root !== null) {
  const api = new Api()
  const isMaster = root.dataset['behind'] === 'master'
  render(isMaster ? <MasterPage api={api} /> : <NodePage api={api} />, root)
}
