// SPDX-License-Identifier: Apache-2.0
// The dashboards as the files that are committed.
import type { Dashboard, VariableModel } from '@grafana/grafana-foundation-sdk/dashboard';
import { clusterDashboard } from './cluster';
import { fleetDashboard } from './fleet';

// File name to content.
export function render(): Map<string, string> {
  return new Map([
    ['corosync-cluster.json', text(clusterDashboard())],
    ['corosync-fleet.json', text(fleetDashboard())],
  ]);
}

function text(dashboard: Dashboard): string {
  dashboard.panels?.forEach((panel, index) => { panel.id = index + 1; });
  for (const variable of dashboard.templating.list ?? []) {
    const model: Partial<VariableModel> = variable;
    // The library gives all the same id; Grafana takes the name where there is none.
    delete model.id;
  }
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}
