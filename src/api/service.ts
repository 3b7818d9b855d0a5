/** What the command tells the service manager that started it. */
export { notifyService } from '../agent/service-manager.js'
