//! The agent's service: each RPC in a few lines.
//!
//! Owns which module answers which RPC. Must not do anything else.

use std::sync::Arc;

use tidegate_proto::v1::{
    AlertsRequest, AlertsResponse, AuditEntry, AuditLogRequest, BackupEvent, BackupHeadersRequest,
    BackupHeadersResponse, BackupsRequest, BackupsResponse, CancelReleaseRequest, CancelReleaseResponse,
    DeployRequest, DropFormerRequest, DropFormerResponse, ExecRequest, ExecResponse, HealthRequest,
    HealthResponse, InfoRequest, InfoResponse, InstallRevocationListRequest, InstallRevocationListResponse,
    LogEntry, LogsRequest, MakeBackupRequest, PlanDeployResponse, PruneBackupsRequest, PruneBackupsResponse,
    ReleaseEvent, ReleaseOutcomeRequest, ReleaseOutcomeResponse, ReleasesRequest, ReleasesResponse,
    RemoveAppRequest, RemoveAppResponse, RenewRequest, RenewResponse, ResolveReleaseRequest,
    ResolveReleaseResponse, RestoreBackupRequest, RestoreEvent, RestoresRequest, RestoresResponse,
    RevertRestoreRequest, RollbackRequest, SetAlertsRequest, SetAlertsResponse, SetMaintenanceRequest,
    SetMaintenanceResponse, ShowBackupRequest, ShowBackupResponse, StatusRequest, StatusResponse,
    TestAlertsRequest, TestAlertsResponse, TimersRequest, TimersResponse, VerifyBackupRequest,
    WatchReleaseRequest, agent_server::Agent,
};
use tonic::{Request, Response, Status, Streaming};

use super::{
    Context, alerts, audit, backups, caller::Caller, deploy, errors, exec, health, info, logs, maintenance,
    releases, renewal, restores, rollback, status, stream::Answers, timers, together,
};

/// `tidegate.v1.Agent`.
#[derive(Debug, Clone)]
pub struct AgentService {
    context: Arc<Context>,
}

impl AgentService {
    /// Serves with this.
    pub fn new(context: Arc<Context>) -> Self {
        Self { context }
    }

    /// For RPCs about one app: whether the caller has it.
    fn check_app<T>(&self, request: &Request<T>, rpc: &str, app: &str) -> Result<(), Status> {
        let caller = Caller::from_request(request)?;
        self.context.may(&caller, rpc, app).map(drop)
    }
}

#[tonic::async_trait]
impl Agent for AgentService {
    async fn info(&self, _: Request<InfoRequest>) -> Result<Response<InfoResponse>, Status> {
        info::info(&self.context).await.map(Response::new)
    }

    async fn status(&self, request: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        status::status(&self.context, &caller, request.get_ref()).await.map(Response::new)
    }

    async fn plan_deploy(
        &self,
        request: Request<DeployRequest>,
    ) -> Result<Response<PlanDeployResponse>, Status> {
        self.check_app(&request, "/tidegate.v1.Agent/PlanDeploy", &request.get_ref().app)?;
        deploy::plan(&self.context, request.into_inner()).await.map(Response::new)
    }

    type DeployStream = Answers<ReleaseEvent>;
    async fn deploy(&self, request: Request<DeployRequest>) -> Result<Response<Self::DeployStream>, Status> {
        self.check_app(&request, "/tidegate.v1.Agent/Deploy", &request.get_ref().app)?;
        let caller = Caller::from_request(&request)?;
        deploy::deploy(&self.context, &caller, request.into_inner()).await.map(Response::new)
    }

    type WatchReleaseStream = Answers<ReleaseEvent>;
    async fn watch_release(
        &self,
        request: Request<WatchReleaseRequest>,
    ) -> Result<Response<Self::WatchReleaseStream>, Status> {
        self.check_app(&request, "/tidegate.v1.Agent/WatchRelease", &request.get_ref().app)?;
        releases::watch(&self.context, request.into_inner()).await.map(Response::new)
    }

    async fn releases(
        &self,
        request: Request<ReleasesRequest>,
    ) -> Result<Response<ReleasesResponse>, Status> {
        self.check_app(&request, "/tidegate.v1.Agent/Releases", &request.get_ref().app)?;
        releases::list(&self.context, request.into_inner()).await.map(Response::new)
    }

    async fn plan_rollback(
        &self,
        request: Request<RollbackRequest>,
    ) -> Result<Response<PlanDeployResponse>, Status> {
        self.check_app(&request, "/tidegate.v1.Agent/PlanRollback", &request.get_ref().app)?;
        rollback::plan(&self.context, request.into_inner()).await.map(Response::new)
    }

    type RollbackStream = Answers<ReleaseEvent>;
    async fn rollback(
        &self,
        request: Request<RollbackRequest>,
    ) -> Result<Response<Self::RollbackStream>, Status> {
        self.check_app(&request, "/tidegate.v1.Agent/Rollback", &request.get_ref().app)?;
        let caller = Caller::from_request(&request)?;
        rollback::rollback(&self.context, &caller, request.into_inner()).await.map(Response::new)
    }

    async fn cancel_release(
        &self,
        request: Request<CancelReleaseRequest>,
    ) -> Result<Response<CancelReleaseResponse>, Status> {
        self.check_app(&request, "/tidegate.v1.Agent/CancelRelease", &request.get_ref().app)?;
        let caller = Caller::from_request(&request)?;
        rollback::cancel(&self.context, &caller, request.into_inner()).await.map(Response::new)
    }

    async fn release_outcome(
        &self,
        request: Request<ReleaseOutcomeRequest>,
    ) -> Result<Response<ReleaseOutcomeResponse>, Status> {
        self.check_app(&request, "/tidegate.v1.Agent/ReleaseOutcome", &request.get_ref().app)?;
        together::outcome(&self.context, request.into_inner()).await.map(Response::new)
    }

    async fn resolve_release(
        &self,
        request: Request<ResolveReleaseRequest>,
    ) -> Result<Response<ResolveReleaseResponse>, Status> {
        self.check_app(&request, "/tidegate.v1.Agent/ResolveRelease", &request.get_ref().app)?;
        let caller = Caller::from_request(&request)?;
        together::resolve(&self.context, &caller, request.into_inner()).await.map(Response::new)
    }

    type LogsStream = Answers<LogEntry>;
    async fn logs(&self, request: Request<LogsRequest>) -> Result<Response<Self::LogsStream>, Status> {
        self.check_app(&request, "/tidegate.v1.Agent/Logs", &request.get_ref().app)?;
        logs::read(&self.context, request.into_inner()).await.map(Response::new)
    }

    type ExecContainerStream = Answers<ExecResponse>;
    async fn exec_container(
        &self,
        request: Request<Streaming<ExecRequest>>,
    ) -> Result<Response<Self::ExecContainerStream>, Status> {
        exec::in_container(self.context.clone(), request).await.map(Response::new)
    }

    type RunStream = Answers<ExecResponse>;
    async fn run(
        &self,
        request: Request<Streaming<ExecRequest>>,
    ) -> Result<Response<Self::RunStream>, Status> {
        Box::pin(exec::in_one_off(self.context.clone(), request)).await.map(Response::new)
    }

    type ExecHostStream = Answers<ExecResponse>;
    async fn exec_host(
        &self,
        request: Request<Streaming<ExecRequest>>,
    ) -> Result<Response<Self::ExecHostStream>, Status> {
        exec::on_host(self.context.clone(), request).await.map(Response::new)
    }

    async fn set_maintenance(
        &self,
        request: Request<SetMaintenanceRequest>,
    ) -> Result<Response<SetMaintenanceResponse>, Status> {
        self.check_app(&request, "/tidegate.v1.Agent/SetMaintenance", &request.get_ref().app)?;
        let caller = Caller::from_request(&request)?;
        maintenance::set(&self.context, &caller, request.into_inner()).await.map(Response::new)
    }

    async fn remove_app(
        &self,
        request: Request<RemoveAppRequest>,
    ) -> Result<Response<RemoveAppResponse>, Status> {
        self.check_app(&request, "/tidegate.v1.Agent/RemoveApp", &request.get_ref().app)?;
        let caller = Caller::from_request(&request)?;
        releases::remove(&self.context, &caller, request.into_inner()).await.map(Response::new)
    }

    type MakeBackupStream = Answers<BackupEvent>;
    async fn make_backup(
        &self,
        request: Request<MakeBackupRequest>,
    ) -> Result<Response<Self::MakeBackupStream>, Status> {
        self.check_app(&request, "/tidegate.v1.Agent/MakeBackup", &request.get_ref().app)?;
        let caller = Caller::from_request(&request)?;
        backups::make(&self.context, &caller, request.into_inner()).await.map(Response::new)
    }

    async fn backups(&self, request: Request<BackupsRequest>) -> Result<Response<BackupsResponse>, Status> {
        self.check_app(&request, "/tidegate.v1.Agent/Backups", &request.get_ref().app)?;
        backups::list(&self.context, request.into_inner()).await.map(Response::new)
    }

    async fn show_backup(
        &self,
        request: Request<ShowBackupRequest>,
    ) -> Result<Response<ShowBackupResponse>, Status> {
        self.check_app(&request, "/tidegate.v1.Agent/ShowBackup", &request.get_ref().app)?;
        backups::show(&self.context, request.into_inner()).await.map(Response::new)
    }

    type VerifyBackupStream = Answers<BackupEvent>;
    async fn verify_backup(
        &self,
        request: Request<VerifyBackupRequest>,
    ) -> Result<Response<Self::VerifyBackupStream>, Status> {
        self.check_app(&request, "/tidegate.v1.Agent/VerifyBackup", &request.get_ref().app)?;
        let caller = Caller::from_request(&request)?;
        backups::verify(&self.context, &caller, request.into_inner()).await.map(Response::new)
    }

    async fn prune_backups(
        &self,
        request: Request<PruneBackupsRequest>,
    ) -> Result<Response<PruneBackupsResponse>, Status> {
        self.check_app(&request, "/tidegate.v1.Agent/PruneBackups", &request.get_ref().app)?;
        let caller = Caller::from_request(&request)?;
        backups::prune(&self.context, &caller, request.into_inner()).await.map(Response::new)
    }

    async fn backup_headers(
        &self,
        request: Request<BackupHeadersRequest>,
    ) -> Result<Response<BackupHeadersResponse>, Status> {
        self.check_app(&request, "/tidegate.v1.Agent/BackupHeaders", &request.get_ref().app)?;
        backups::headers(&self.context, request.into_inner()).await.map(Response::new)
    }

    type RestoreBackupStream = Answers<RestoreEvent>;
    async fn restore_backup(
        &self,
        request: Request<RestoreBackupRequest>,
    ) -> Result<Response<Self::RestoreBackupStream>, Status> {
        self.check_app(&request, "/tidegate.v1.Agent/RestoreBackup", &request.get_ref().app)?;
        let caller = Caller::from_request(&request)?;
        restores::restore(&self.context, &caller, request.into_inner()).await.map(Response::new)
    }

    type RevertRestoreStream = Answers<RestoreEvent>;
    async fn revert_restore(
        &self,
        request: Request<RevertRestoreRequest>,
    ) -> Result<Response<Self::RevertRestoreStream>, Status> {
        self.check_app(&request, "/tidegate.v1.Agent/RevertRestore", &request.get_ref().app)?;
        let caller = Caller::from_request(&request)?;
        restores::revert(&self.context, &caller, request.into_inner()).await.map(Response::new)
    }

    async fn restores(
        &self,
        request: Request<RestoresRequest>,
    ) -> Result<Response<RestoresResponse>, Status> {
        self.check_app(&request, "/tidegate.v1.Agent/Restores", &request.get_ref().app)?;
        restores::list(&self.context, request.into_inner()).await.map(Response::new)
    }

    async fn drop_former(
        &self,
        request: Request<DropFormerRequest>,
    ) -> Result<Response<DropFormerResponse>, Status> {
        self.check_app(&request, "/tidegate.v1.Agent/DropFormer", &request.get_ref().app)?;
        let caller = Caller::from_request(&request)?;
        restores::drop_former(&self.context, &caller, request.into_inner()).await.map(Response::new)
    }

    async fn timers(&self, request: Request<TimersRequest>) -> Result<Response<TimersResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        timers::timers(&self.context, &caller, request.get_ref()).await.map(Response::new)
    }

    async fn health(&self, request: Request<HealthRequest>) -> Result<Response<HealthResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        health::health(&self.context, &caller, request.get_ref()).await.map(Response::new)
    }

    async fn set_alerts(
        &self,
        request: Request<SetAlertsRequest>,
    ) -> Result<Response<SetAlertsResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        alerts::set(&self.context, &caller, request.into_inner()).await.map(Response::new)
    }

    async fn alerts(&self, _: Request<AlertsRequest>) -> Result<Response<AlertsResponse>, Status> {
        alerts::state(&self.context).await.map(Response::new)
    }

    async fn test_alerts(
        &self,
        request: Request<TestAlertsRequest>,
    ) -> Result<Response<TestAlertsResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        alerts::test(&self.context, &caller).await.map(Response::new)
    }

    type AuditLogStream = Answers<AuditEntry>;
    async fn audit_log(
        &self,
        request: Request<AuditLogRequest>,
    ) -> Result<Response<Self::AuditLogStream>, Status> {
        Ok(Response::new(audit::read(self.context.audit.clone(), request.get_ref())))
    }

    type RenewStream = Answers<RenewResponse>;
    async fn renew(
        &self,
        request: Request<Streaming<RenewRequest>>,
    ) -> Result<Response<Self::RenewStream>, Status> {
        let actor = Caller::from_request(&request)?.actor();
        Ok(Response::new(renewal::renew(self.context.trust.clone(), actor, request.into_inner())))
    }

    async fn install_revocation_list(
        &self,
        request: Request<InstallRevocationListRequest>,
    ) -> Result<Response<InstallRevocationListResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let number = self
            .context
            .trust
            .install_revocations(&request.get_ref().crl, caller.issuer(), &caller.actor())
            .await
            .map_err(|error| errors::change(&error))?;
        Ok(Response::new(InstallRevocationListResponse { number }))
    }
}
