from vitrion.comparison.report_search import find_reports as find_reports
from vitrion.comparison.side_by_side import compare as compare
from vitrion.conductivity.makers import ConductivityMaker as ConductivityMaker
from vitrion.database.client import VitrionClient as VitrionClient
from vitrion.database.export import to_frame as to_frame
from vitrion.dynamics.trajectory import Trajectory as Trajectory
from vitrion.flows.glass_conductivity import CrystalConductivityMaker as CrystalConductivityMaker
from vitrion.flows.glass_conductivity import GlassConductivityMaker as GlassConductivityMaker
from vitrion.flows.ion_conductor import IonConductorMaker as IonConductorMaker
from vitrion.flows.recipe import Recipe as Recipe
from vitrion.landscape.makers import DefectMaker as DefectMaker
from vitrion.potentials.calculators import load_calculator as load_calculator
from vitrion.store.job_store import open_job_store as open_job_store
from vitrion.transport.analysis import analyze as analyze
from vitrion.transport.analysis import analyze_file as analyze_file
from vitrion.transport.arrhenius_fit import arrhenius as arrhenius
from vitrion.transport.replicas import combine as combine

__version__: str
