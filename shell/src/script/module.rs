//! `import "lib" as lib`: files read by the same front end as everything else, each a unit with its own places.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use hamq_core::{Error, ErrorKind};
use rhai::{Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared};

use super::fault::{Fault, raise};
use super::unit::{Shape, compile, folder_of};
use crate::session::State;

/// Imports deeper in each other than this are a circle that never closes.
const DEPTH_MAX: usize = 32;

/// The modules of a session; each file is read once.
pub(super) struct Modules {
    state: Rc<State>,
    loaded: RefCell<BTreeMap<PathBuf, Shared<Module>>>,
    loading: RefCell<Vec<PathBuf>>,
}

impl Modules {
    pub(super) fn new(state: Rc<State>) -> Self {
        Self {
            state,
            loaded: RefCell::default(),
            loading: RefCell::default(),
        }
    }

    /// The file that `path` means in the unit `source`: beside it, `.rhai` added when it has no ending.
    fn file(&self, source: Option<&str>, path: &str) -> PathBuf {
        let unit: Option<usize> = source.and_then(|s| s.parse().ok());
        let units = self.state.units.borrow();
        let unit = units.get(unit.unwrap_or_else(|| self.state.unit.get()));
        let folder = unit.map_or_else(|| ".".to_owned(), |unit| folder_of(&unit.name));
        let mut file = Path::new(&folder).join(path);
        if file.extension().is_none() {
            file.set_extension("rhai");
        }
        file
    }

    fn enter(&self, key: &Path) -> Result<(), Error> {
        let mut loading = self.loading.borrow_mut();
        if loading.iter().any(|path| path == key) || loading.len() >= DEPTH_MAX {
            let what = format!("{} imports itself", key.display());
            let hint = "put what both need into a third file";
            return Err(Error::new(ErrorKind::Usage, what).hint(hint));
        }
        loading.push(key.to_owned());
        Ok(())
    }

    fn load(&self, engine: &Engine, file: &Path) -> Result<Module, Box<EvalAltResult>> {
        let text = std::fs::read_to_string(file).map_err(|e| {
            let error = Error::system(format!("import {}", file.display()), &e);
            raise(error.hint("a module is looked for beside the file that imports it"))
        })?;
        let name = file.to_string_lossy();
        let mut scope = Scope::new();
        scope.push_constant("ScriptRoot", folder_of(&name));
        let compiled = compile(engine, &self.state, &scope, &name, &text, Shape::Shown);
        let (_, ast) = compiled.map_err(Fault::raise)?;
        Module::eval_ast_as_new(scope, &ast, engine)
    }
}

impl ModuleResolver for Modules {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let file = self.file(source, path);
        let key = std::fs::canonicalize(&file).unwrap_or_else(|_| file.clone());
        if let Some(module) = self.loaded.borrow().get(&key) {
            return Ok(Rc::clone(module));
        }
        let at = |mut failure: Box<EvalAltResult>| {
            if failure.position().is_none() {
                failure.set_position(position);
            }
            failure
        };
        self.enter(&key).map_err(raise).map_err(at)?;
        let module = self.load(engine, &file);
        self.loading.borrow_mut().pop();
        let module: Shared<Module> = module.map_err(at)?.into();
        self.loaded.borrow_mut().insert(key, Rc::clone(&module));
        Ok(module)
    }
}
