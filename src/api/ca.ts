/** A small authority, for `fr ca`. */
export { caLimits, initCa, issue, revoke } from '../net/ca.js'
