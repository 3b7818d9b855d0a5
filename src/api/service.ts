/** Notifications for the service manager that started the command. */
export { beatService, notifyService } from '../agent/service-manager.js'
