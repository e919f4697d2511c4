// SPDX-License-Identifier: Apache-2.0
// What the dashboards ask of Prometheus: PromQL from parts. Strings only; no Grafana but for its
// variables $job, $cluster and $instance.
//
// A cluster is called by the label `cluster` where the scrape configuration gives its targets one,
// else by the name in its corosync.conf, which only corosync_cluster_info carries. So each question
// takes the name from there, by job and instance, and needs nothing of the scrape configuration.

// An exporter that is gone takes its corosync_cluster_info with it. For so long it is still known
// whose it was.
const REMEMBERED = '1d';

export class Questions {
  readonly #matchers: string;
  readonly #identity: string;

  // By what labels of targets to choose, and by which a cluster's nodes belong together.
  constructor(targets: readonly ('job' | 'instance')[], identity: readonly string[]) {
    this.#matchers = targets.map((label) => `${label}=~"$${label}"`).join(', ');
    this.#identity = identity.join(', ');
  }

  // --- series ---

  series(family: string, ...matchers: string[]): string {
    return `${family}{${[this.#matchers, ...matchers].join(', ')}}`;
  }

  rate(family: string, ...matchers: string[]): string {
    return `rate(${this.series(family, ...matchers)}[$__rate_interval])`;
  }

  increase(family: string, range = '$__rate_interval'): string {
    return `increase(${this.series(family)}[${range}])`;
  }

  // --- clusters ---

  // The chosen targets, each with its `cluster`.
  targets(): string {
    return named((...matchers) => this.series('corosync_cluster_info', ...matchers));
  }

  // The same with those that were there lately, by the name they had.
  knownTargets(): string {
    const remembered = named((...matchers) =>
      `last_over_time(${this.series('corosync_cluster_info', ...matchers)}[${REMEMBERED}])`);
    return `(${this.targets()} or on (job, instance) ${remembered})`;
  }

  // A vector, which must have `job` and `instance`, with its `cluster`.
  of(vector: string): string {
    return `(${vector} * on (job, instance) group_left (cluster) ${this.targets()})`;
  }

  // What all nodes of a cluster say, as one.
  by(operator: string, vector: string, ...labels: string[]): string {
    return `${operator} by (${[this.#identity, ...labels].join(', ')}) (${vector})`;
  }

  max(vector: string, ...labels: string[]): string {
    return this.by('max', this.of(vector), ...labels);
  }

  sum(vector: string, ...labels: string[]): string {
    return this.by('sum', this.of(vector), ...labels);
  }

  knownClusters(): string {
    return this.by('group', this.knownTargets());
  }

  // --- verdicts, as numbers; words.ts has the words for them ---

  // What a node says of quorum, else why it says nothing.
  nodeState(): string {
    const waiting = this.series('corosync_votequorum_waiting_for_all');
    const quorate = this.series('corosync_quorate');
    const up = this.series('corosync_up');
    const state = [
      `(${waiting} == 1 and on (job, instance) ${quorate} == 0) * 0 + ${NodeState.WaitsForAll}`,
      quorate,
      `(${up} == 1) * 0 + ${NodeState.NoProvider}`,
      `(${up} == 0) * 0 + ${NodeState.CorosyncSilent}`,
      `(${this.series('up')} == 0) * 0 + ${NodeState.ExporterDown}`,
    ].join(' or on (job, instance) ');
    // The parts have unlike labels, and a node is to be one series whatever happens to it.
    return `max by (job, instance) (${state}) and on (job, instance) ${this.knownTargets()}`;
  }

  // Of a cluster's nodes that say it, the part that is quorate: from 0 to 1.
  quoratePart(): string {
    return this.by('avg', this.of(this.series('corosync_quorate')));
  }

  // The same, and why nobody says it.
  verdict(): string {
    const up = `(${this.series('corosync_up')} == 1)`;
    return `(${this.quoratePart()}` +
      ` or ${this.by('group', this.of(up))} * 0 + ${Verdict.NoProvider}` +
      ` or ${this.knownClusters()} * 0 + ${Verdict.NobodyAnswers})`;
  }

  // Each node of a cluster, 1 member, 0 not: for the nodes with quorum, where there are any, as in
  // a partition each side takes the other for lost.
  members(): string {
    const all = this.series('corosync_node_member');
    return `(${this.by('min', this.of(this.ofQuorate(all)), 'node')} or ${this.by('min', this.of(all), 'node')})`;
  }

  // Votes that may go, for the nodes with quorum; where there are none, for the best off.
  spare(): string {
    const all = this.series('corosync_votequorum_margin_votes');
    return `(${this.by('min', this.of(this.ofQuorate(all)))} or ${this.by('max', this.of(all))})`;
  }

  ofQuorate(vector: string): string {
    return `(${vector} and on (job, instance) ${this.series('corosync_quorate')} == 1)`;
  }

  missing(): string {
    return `${this.members()} == 0`;
  }

  // Clusters without a vote to spare that have one when all nodes are there.
  atRisk(): string {
    const [margin, expected, required] = ['margin', 'expected', 'required'].map((votes) =>
      this.series(`corosync_votequorum_${votes}_votes`));
    return this.by('group', this.of(`(${margin} == 0 and ${expected} > ${required})`));
  }

  // Targets whose exporter, or corosync behind it, does not answer.
  silent(): string {
    return `${this.series('up')} == 0 or on (job, instance) ${this.series('corosync_up')} == 0`;
  }

  // The same, of clusters that are known.
  silentTargets(): string {
    return `${this.knownTargets()} and on (job, instance) (${this.silent()})`;
  }

  // The same, with what is silent, and with `cluster` where it is known.
  silence(): string {
    const down = `${this.series('up')} == 0`;
    const dead = `${this.series('corosync_up')} == 0`;
    const known = (which: string): string => `(${this.knownTargets()} and on (job, instance) ${which})`;
    return [
      `${known(down)} * 0 + ${NodeState.ExporterDown}`,
      `(${down}) * 0 + ${NodeState.ExporterDown}`,
      `${known(dead)} * 0 + ${NodeState.CorosyncSilent}`,
      `(${dead}) * 0 + ${NodeState.CorosyncSilent}`,
    ].join(' or on (job, instance) ');
  }
}

// Series of corosync_cluster_info of the chosen clusters, each with its `cluster`.
function named(info: (...matchers: string[]) => string, chosen = '=~"$cluster"'): string {
  const labelled = info(`cluster${chosen}`, 'cluster!=""');
  const unlabelled = info('cluster=""', `cluster_name${chosen}`);
  return `(${labelled} or label_replace(${unlabelled}, "cluster", "$1", "cluster_name", "(.*)"))`;
}

// For the variables: all clusters that were there within a range, and the chosen ones' targets.
export function clusterNames(range: string): string {
  return named(infoWithin(range), '=~".*"');
}

export function targetsOf(range: string): string {
  return named(infoWithin(range));
}

function infoWithin(range: string): (...matchers: string[]) => string {
  return (...matchers) =>
    `last_over_time(corosync_cluster_info{${['job=~"$job"', ...matchers].join(', ')}}[${range}])`;
}

export const NodeState = {
  NoQuorum: 0,
  Quorate: 1,
  CorosyncSilent: 2,
  ExporterDown: 3,
  NoProvider: 4,
  WaitsForAll: 5,
} as const;

export const Verdict = {
  NobodyAnswers: -1,
  NoQuorum: 0,
  Quorate: 1,
  NoProvider: 2,
} as const;

// The higher, the worse.
export const Trouble = {
  Fine: 0,
  Look: 1,
  AtRisk: 2,
  Unknown: 3,
  NoQuorum: 4,
} as const;
