//! Bare loop over ttrpc: the calls of a pod's lifecycle and nothing else. Its rate is
//! the reference for the engine with plan, checks, clocks and histograms; its rate
//! with calls that do nothing is the reference for a sandboxer.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use containerd_sandbox::Result;
use tokio::task::{JoinSet, LocalSet};

use crate::commands::cli::{BareArgs, BareCalls};
use crate::commands::error::RunError;
use crate::connection::{Connection, TtrpcConnection};
use crate::drive::bundle::Bundles;
use crate::drive::engine::EngineError;
use crate::server::image::NAMESPACE;
use crate::stop::Stop;
use crate::workload::plan::{Container, Plan, Pod};
use crate::workload::scenario::{Distribution, PodShape};

/// Runs the loop; returns pods per second.
///
/// # Errors
/// If a call fails.
pub fn run(args: &BareArgs) -> std::result::Result<f64, RunError> {
    let mut shape = PodShape::default();
    if args.calls != BareCalls::Engine {
        shape.containers = Distribution::Constant(1);
    }
    let plan = Plan::new(args.seed, shape);
    // Building the requests is not part of the cost of the calls.
    let planned: Rc<[Pod]> = match args.calls {
        BareCalls::Life => (0..args.pods).map(|index| plan.pod(index)).collect(),
        BareCalls::Engine | BareCalls::Nothing => Rc::new([]),
    };
    let bundles = Rc::new(Bundles::write(&plan, args.pods, &Stop::new(), |_| ())?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(EngineError::Thread)?;
    let pods = LocalSet::new().block_on(&runtime, async {
        let mut connections = Vec::new();
        for _ in 0..args.connections {
            let socket: &Path = args.endpoint.as_ref();
            connections.push(TtrpcConnection::connect(socket, NAMESPACE, args.timeout).await?);
        }
        let next = Rc::new(Cell::new(0));
        let begun = Instant::now();
        let mut workers = JoinSet::new();
        for (_, connection) in (0..args.concurrency).zip(connections.iter().cycle()) {
            let (next, plan) = (Rc::clone(&next), plan.clone());
            let (connection, bundles, pods) = (connection.clone(), Rc::clone(&bundles), args.pods);
            let (calls, planned) = (args.calls, Rc::clone(&planned));
            workers.spawn_local(async move {
                while next.get() < pods {
                    let index = next.replace(next.get() + 1);
                    match calls {
                        BareCalls::Engine => pod(&connection, &plan, &bundles, index).await?,
                        BareCalls::Life => {
                            // One pod is planned for each index.
                            let place = usize::try_from(index).unwrap_or(usize::MAX);
                            life(&connection, &planned[place], &bundles).await?;
                        }
                        BareCalls::Nothing => nothing(&connection).await?,
                    }
                }
                Ok::<_, containerd_sandbox::Error>(())
            });
        }
        while let Some(worker) = workers.join_next().await {
            worker.map_err(|_| EngineError::Panicked)??;
        }
        Ok::<_, EngineError>(args.pods as f64 / begun.elapsed().as_secs_f64())
    })?;
    Ok(pods)
}

/// Makes the calls of the engine in the same order.
async fn pod(
    connection: &TtrpcConnection,
    plan: &Plan,
    bundles: &Bundles,
    index: u64,
) -> Result<()> {
    let pod = plan.pod(index);
    let id = &*pod.sandbox_id;
    connection.create_sandbox(&pod).await?;
    connection.start_sandbox(id).await?;
    let mut waits = Vec::with_capacity(pod.containers.len());
    for container in &pod.containers {
        connection
            .create_task(&container.id, &bundles.path(container))
            .await?;
        let (waiter, waited) = (connection.clone(), container.id.clone());
        waits.push(tokio::task::spawn_local(async move {
            waiter.wait_task(&waited).await
        }));
        connection.start_task(&container.id).await?;
        connection.task_state(&container.id).await?;
    }
    connection.sandbox_status(id).await?;
    for (container, wait) in pod.containers.iter().zip(waits) {
        end(connection, container).await?;
        // The task is never aborted, so a failed wait means a panic in the task.
        let _ = wait.await;
        connection.task_state(&container.id).await?;
        connection.delete_task(&container.id).await?;
    }
    connection.stop_sandbox(id).await?;
    connection.sandbox_status(id).await?;
    connection.shutdown_sandbox(id).await?;
    // The engine checks that the sandbox is gone.
    let _ = connection.sandbox_status(id).await;
    Ok(())
}

/// Number of calls of [`life`].
const LIFE: usize = 9;

/// Makes the calls of the shortest whole lifecycle of a pod with one container, one
/// after the other.
async fn life(connection: &TtrpcConnection, pod: &Pod, bundles: &Bundles) -> Result<()> {
    let id = &*pod.sandbox_id;
    connection.create_sandbox(pod).await?;
    connection.start_sandbox(id).await?;
    for container in &pod.containers {
        connection
            .create_task(&container.id, &bundles.path(container))
            .await?;
        connection.start_task(&container.id).await?;
        end(connection, container).await?;
        connection.wait_task(&container.id).await?;
        connection.delete_task(&container.id).await?;
    }
    connection.stop_sandbox(id).await?;
    connection.shutdown_sandbox(id).await
}

/// Makes as many calls as [`life`], all without effect.
async fn nothing(connection: &TtrpcConnection) -> Result<()> {
    for _ in 0..LIFE {
        connection.probe().await?;
    }
    Ok(())
}

async fn end(connection: &TtrpcConnection, container: &Container) -> Result<()> {
    connection
        .kill_task(&container.id, container.end.number())
        .await
}
