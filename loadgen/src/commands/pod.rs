//! `loadgen pod`: runs one pod from files, and leaves it running.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use containerd_sandbox::client::{self, Cri, Ttrpc};
use containerd_shim_protos::sandbox_api::{CreateSandboxRequest, StartSandboxRequest};
use cri_api::v1::{
    ContainerConfig, CreateContainerRequest, PodSandboxConfig, RunPodSandboxRequest,
    StartContainerRequest,
};
use prost::Message;

use crate::commands::cli::PodArgs;
use crate::server::image::{self, NAMESPACE};
use crate::workload::manifest;

/// Type of a pod's configuration in the requests of containerd.
const CONFIG_TYPE: &str = "runtime.v1.PodSandboxConfig";

/// Runs the pod and its containers, and writes their ids, one a line.
///
/// # Errors
/// A file that cannot be read or is wrong, and errors of the server. The pod stays if one of
/// its containers fails.
pub fn run(args: &PodArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let pod: PodSandboxConfig = manifest::read(&args.pod)?;
    let containers = args
        .containers
        .iter()
        .map(|path| Ok((path.as_path(), manifest::read(path)?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match &args.id {
            Some(id) => as_sandbox(args, &pod, id, out).await,
            None => over_cri(args, pod, containers, out).await,
        }
    })
}

async fn as_sandbox(
    args: &PodArgs,
    pod: &PodSandboxConfig,
    id: &str,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let client = Ttrpc::connect(args.endpoint.as_ref(), NAMESPACE).await?;
    let client = client.with_timeout(args.timeout);
    let mut create = CreateSandboxRequest {
        sandbox_id: id.to_owned(),
        ..Default::default()
    };
    let options = create.options.mut_or_insert_default();
    options.type_url = CONFIG_TYPE.to_owned();
    options.value = pod.encode_to_vec();
    client
        .create_sandbox(&create)
        .await
        .context("create the sandbox")?;
    let start = StartSandboxRequest {
        sandbox_id: id.to_owned(),
        ..Default::default()
    };
    client
        .start_sandbox(&start)
        .await
        .context("start the sandbox")?;
    writeln!(out, "{id}")?;
    Ok(())
}

async fn over_cri(
    args: &PodArgs,
    pod: PodSandboxConfig,
    containers: Vec<(&Path, ContainerConfig)>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let cri = Cri::connect(args.endpoint.as_ref()).await?;
    let cri = cri.with_timeout(args.timeout);
    let request = RunPodSandboxRequest {
        config: Some(pod.clone()),
        runtime_handler: args.runtime_handler.clone(),
    };
    let made = cri.run_pod_sandbox(request).await;
    let pod_sandbox_id = made.context("run the pod")?.pod_sandbox_id;
    writeln!(out, "{pod_sandbox_id}")?;
    let channel = client::channel(args.endpoint.as_ref()).await?;
    for (path, config) in containers {
        if let Some(named) = &config.image {
            let provided = image::provide(channel.clone(), &named.image).await;
            provided.with_context(|| format!("provide the image {}", named.image))?;
        }
        let request = CreateContainerRequest {
            pod_sandbox_id: pod_sandbox_id.clone(),
            config: Some(config),
            sandbox_config: Some(pod.clone()),
        };
        let made = cri.create_container(request).await;
        let failed = |step| {
            format!(
                "{step} the container of {} in {pod_sandbox_id}",
                path.display()
            )
        };
        let container_id = made.with_context(|| failed("create"))?.container_id;
        let start = StartContainerRequest {
            container_id: container_id.clone(),
        };
        cri.start_container(start)
            .await
            .with_context(|| failed("start"))?;
        writeln!(out, "{container_id}")?;
    }
    Ok(())
}
