//! [`Part`]: a model and the tasks that it evaluates.

use std::path::{Path, PathBuf};

use dph_core::terminal::Failure;
use dph_eval::{BenchPlan, TaskModels};

/// A model and the tasks of a plan that it evaluates.
pub(super) struct Part {
    pub dir: PathBuf,
    pub plan: BenchPlan,
}

/// The parts of a plan for the model in a directory or, in that of all tasks of a sweep, for the models of the tasks.
pub(super) fn parts(dir: &Path, models: Option<&TaskModels>, plan: BenchPlan) -> Result<Vec<Part>, Failure> {
    let Some(models) = models else { return Ok(vec![Part { dir: dir.to_owned(), plan }]) };
    let mut parts: Vec<Part> = Vec::new();
    for planned in plan.tasks {
        let name = &planned.task.name;
        let of_task = models.of(name).ok_or_else(|| {
            let known: Vec<&str> = models.tasks().collect();
            Failure::request(format!(
                "{}: there is no model of `{name}`, but of {}",
                dir.display(),
                known.join(", ")
            ))
        })?;
        match parts.iter_mut().find(|part| part.dir == of_task) {
            Some(part) => part.plan.tasks.push(planned),
            None => {
                let plan = BenchPlan { tasks: vec![planned], suites: Vec::new() };
                parts.push(Part { dir: of_task.to_owned(), plan });
            }
        }
    }
    match parts.first_mut() {
        Some(first) => first.plan.suites = plan.suites,
        None => {
            return Err(Failure::request(
                "there is nothing to evaluate: name a --suite or --task, or use --submission",
            ));
        }
    }
    Ok(parts)
}

/// The plan of the parts together.
pub(super) fn whole(parts: Vec<Part>) -> BenchPlan {
    let mut whole = BenchPlan::default();
    for Part { plan, .. } in parts {
        whole.tasks.extend(plan.tasks);
        whole.suites.extend(plan.suites);
    }
    whole
}
