/** All suites of the lab by name. */
export { fast } from './fast.mjs'
export { faults } from './faults.mjs'
export { groups, lab, lan } from './suites.mjs'
