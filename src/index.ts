/** The public face of MQTile: what programs, the command line and Node-RED nodes build on. */

export { MqtileError, InputError, RunError, KernelError, TransportError } from './errors.ts';
export { VERSION } from './version.ts';
export { parseJob } from './job/parse-job.ts';
export { parseNodeConfig, isLoopback, type NodeConfig } from './job/node-config.ts';
export { parseDevices } from './job/devices.ts';
export { parseGrid } from './job/plan-schema.ts';
export type { Job } from './job/job.ts';
export { makePlan } from './planner/make-plan.ts';
export { drawPlan } from './planner/draw.ts';
export type { Plan, Stage } from './planner/plan.ts';
export { describePlan, type PlanDescription, type StageDescription } from './session/describe-plan.ts';
export { planHashOf, planOf } from './session/spec.ts';
export { checkJob } from './session/check-job.ts';
export { jobOf, type Submission } from './session/submission.ts';
export { Operator, type OperatorEvent } from './session/operator.ts';
export type { AcceptedRun } from './session/serve.ts';
export type { Drive, DriveContext } from './session/context.ts';
export type { Bulletin } from './transport/transport.ts';
export type { Result } from './training/events.ts';
export type { Tensor } from './tensor/handle.ts';
export type { Member, MemberResult } from './protocol/documents.ts';
export type { EpochDocument, StepDocument } from './telemetry/telemetry.ts';
export { restartSmall } from './footprint.ts';
export { startNode, type Node, type NodeOptions } from './node.ts';
export { startLocalCluster, type LocalCluster, type LocalNode } from './local.ts';
export type { Run } from './training/run.ts';
